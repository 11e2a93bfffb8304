//go:build !linux

package qmp

import (
	"context"
	"errors"
	"io"
)

func dialVsock(context.Context, uint32, uint32) (io.ReadWriteCloser, error) {
	return nil, errors.New("vsock addresses work on Linux only")
}

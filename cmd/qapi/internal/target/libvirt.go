package target

import (
	"context"
	"errors"

	"github.com/goqapi/goqapi/qmp"
)

// dialLibvirt connects to the monitor of a machine that libvirt owns.
func dialLibvirt(ctx context.Context, address string, opts []qmp.Option) (*qmp.Conn, error) {
	return nil, errors.New("libvirt is not supported yet")
}

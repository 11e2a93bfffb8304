//go:build !unix

package qmp

import "io"

// A nonblockingWriter is used on Unix only.
type nonblockingWriter struct{}

func newNonblockingWriter(io.ReadWriteCloser) *nonblockingWriter { return nil }

func (*nonblockingWriter) try([]byte) (int, error) { return 0, nil }

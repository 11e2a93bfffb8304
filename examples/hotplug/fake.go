package main

import (
	"context"
	"io"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// playFake runs the steps against a fake QEMU, which has the same room for
// devices as the one that boot starts.
func playFake(ctx context.Context, out io.Writer) error {
	vm := qmptest.New(qmptest.RootPorts("port0"), qmptest.CPUs(2), qmptest.MemorySlots(1))
	defer vm.Close()
	conn, err := vm.Dial(ctx)
	if err != nil {
		return err
	}
	c := qapi.NewClient(conn)
	defer c.Close()
	if err := play(ctx, c, out); err != nil {
		return err
	}
	return vm.Close()
}

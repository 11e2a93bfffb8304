// Hotplug starts a QEMU and plugs disks, a network card and more into it, all
// through typed calls, and never sleeps: it waits for events.
//
// It takes the QEMU that the variable QEMU names, else qemu-system-x86_64 on
// PATH. Where there is none, it plays the same program against a fake one.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hotplug:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "hotplug")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	server, err := start(ctx, dir)
	if err != nil {
		return err
	}
	defer server.kill()
	fmt.Fprintln(out, server.what)
	conn, err := qmp.NewConn(ctx, server.conn)
	if err != nil {
		return err
	}
	c := qapi.NewClient(conn)
	defer c.Close()

	d := &demo{ctx: ctx, c: c, dir: dir, out: out}
	if err := d.play(); err != nil {
		return err
	}
	return server.wait()
}

package qapi_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// A storage daemon exports an image over NBD until it is interrupted.
func Example_storageDaemon() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	daemon, err := qmp.Launch(ctx, exec.Command("qemu-storage-daemon"))
	if err != nil {
		log.Fatal(err)
	}
	defer daemon.Close()
	c := qapi.NewClient(daemon.Conn)
	if err := export(ctx, c, "disk.qcow2", "/run/vm/nbd.sock"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("nbd+unix:///disk?socket=/run/vm/nbd.sock")
	<-ctx.Done()
	if err := unexport(context.WithoutCancel(ctx), c); err != nil {
		log.Print(err)
	}
}

// export exports an image, under the name "disk", at a socket.
func export(ctx context.Context, c *qapi.Client, image, socket string) error {
	err := c.BlockdevAdd(ctx, qapi.BlockdevOptions{NodeName: new("disk"), Driver: qapi.BlockdevOptionsQcow2{
		File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: image}},
	}})
	if err != nil {
		return err
	}
	err = c.NBDServerStart(ctx, qapi.NBDServerOptionsLegacy{
		Addr: qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: socket}},
	})
	if err != nil && !qapi.IsExists(err) { // one server is enough for all exports
		return err
	}
	return c.BlockExportAdd(ctx, qapi.BlockExportOptions{
		ID: "disk", NodeName: "disk", Writable: new(true), Type: qapi.BlockExportOptionsNBD{},
	})
}

// unexport ends the export, even if clients are connected, and closes the image.
func unexport(ctx context.Context, c *qapi.Client) error {
	_, err := qapi.Await(ctx, c, func(ctx context.Context) error {
		return c.BlockExportDel(ctx, qapi.BlockExportDelArgs{ID: "disk", Mode: new(qapi.BlockExportRemoveModeHard)})
	}, func(e qapi.BlockExportDeletedEvent) bool { return e.ID == "disk" })
	if err != nil && !qapi.IsNotFound(err) {
		return err
	}
	return c.BlockdevDel(ctx, qapi.BlockdevDelArgs{NodeName: "disk"})
}

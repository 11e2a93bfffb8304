package qga_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
)

func ExampleDial() {
	ctx := context.Background()
	c, err := qga.Dial(ctx, "unix:/run/vm/qga.sock")
	if errors.Is(err, qmp.ErrNoAgent) {
		log.Fatal("the guest has not started yet, or has no agent")
	}
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	os, err := c.GuestGetOsinfo(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if os.PrettyName != nil {
		fmt.Println("it runs", *os.PrettyName)
	}
}

func ExampleRun() {
	var c *qga.Client // of qga.Dial
	result, err := qga.Run(context.Background(), c, qga.Command{Path: "df", Args: []string{"-h", "/"}})
	switch {
	case err != nil:
		log.Fatal(err)
	case !result.Success():
		log.Fatalf("df: status %d: %s", result.ExitCode, result.Stderr)
	}
	fmt.Printf("%s", result.Stdout)
}

func ExampleDownload() {
	var c *qga.Client // of qga.Dial
	f, err := os.Create("messages")
	if err != nil {
		log.Fatal(err)
	}
	_, err = qga.Download(context.Background(), c, "/var/log/messages", f)
	if err := errors.Join(err, f.Close()); err != nil {
		log.Fatal(err)
	}
}

func ExampleWithFrozen() {
	var c *qga.Client // of qga.Dial
	err := qga.WithFrozen(context.Background(), c, nil, func(ctx context.Context, frozen int) error {
		log.Printf("%d file systems are frozen", frozen)
		return nil // take a snapshot of their disks here
	})
	if errors.Is(err, qga.ErrStillFrozen) {
		log.Print("the guest hangs: ", err)
	}
	if err != nil {
		log.Fatal("the snapshot is not consistent: ", err)
	}
}

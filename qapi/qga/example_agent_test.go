package qga_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
)

// A guest reports what it is, where it can be reached and how full its disks are.
func Example_report() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// Each command has a limit, since a guest may stop answering at any time.
	c, err := qga.Dial(ctx, "unix:/run/vm/qga.sock", qmp.WithTimeout(5*time.Second))
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := report(ctx, c, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// report writes what a guest is. What its agent does not support is left out.
func report(ctx context.Context, c *qga.Client, w io.Writer) error {
	guest, err := qga.Inspect(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%q runs %q\n", guest.HostName, qapi.Value(guest.OS.PrettyName)) // %q: a guest may send anything
	for _, nic := range guest.Interfaces {
		fmt.Fprintf(w, "%q: %v\n", nic.Name, nic.Addrs())
	}
	for _, fs := range guest.Filesystems {
		if fs.TotalBytes != nil { // it has a size
			fmt.Fprintf(w, "%q is full to %.0f %%\n", fs.Mountpoint, fs.Percent())
		}
	}
	return nil
}

package qga_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
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

// report writes about a guest. What its agent does not support is left out.
func report(ctx context.Context, c *qga.Client, w io.Writer) error {
	system, err := c.GuestGetOsinfo(ctx)
	if err != nil && !qapi.IsUnsupported(err) {
		return err
	}
	host, err := c.GuestGetHostName(ctx)
	if err != nil && !qapi.IsUnsupported(err) {
		return err
	}
	fmt.Fprintf(w, "%q runs %q\n", host.HostName, qapi.Value(system.PrettyName)) // %q: a guest may send anything

	nics, err := c.GuestNetworkGetInterfaces(ctx)
	if err != nil && !qapi.IsUnsupported(err) {
		return err
	}
	for _, nic := range nics {
		var addresses []string
		for _, a := range nic.IPAddresses {
			addresses = append(addresses, fmt.Sprintf("%s/%d", a.IPAddress, a.Prefix))
		}
		fmt.Fprintf(w, "%q: %q\n", nic.Name, strings.Join(addresses, " "))
	}

	disks, err := c.GuestGetFsinfo(ctx)
	if err != nil && !qapi.IsUnsupported(err) {
		return err
	}
	for _, d := range disks {
		if total := qapi.Value(d.TotalBytes); total > 0 {
			fmt.Fprintf(w, "%q is full to %.0f %%\n", d.Mountpoint, 100*float64(qapi.Value(d.UsedBytes))/float64(total))
		}
	}
	return nil
}

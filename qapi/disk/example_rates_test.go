package disk_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// printRates prints what each disk of the guest reads and writes, n times.
func printRates(ctx context.Context, c *qapi.Client, interval time.Duration, n int, out io.Writer) error {
	for devices, err := range disk.Rates(ctx, c, interval) {
		if err != nil {
			return err
		}
		for _, d := range devices {
			fmt.Fprintf(out, "%s: reads %s, writes %s\n", d.Device, d.Read, d.Write)
		}
		if n--; n == 0 {
			break
		}
	}
	return nil
}

// What the disks of a machine read and write. The machine is a fake here, whose guest
// does nothing.
func ExampleRates() {
	ctx := context.Background()
	vm := qmptest.New()
	defer vm.Close()
	conn, err := vm.Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	c := qapi.NewClient(conn)
	defer c.Close()
	if err := printRates(ctx, c, time.Millisecond, 1, os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output: cd0: reads 0 B/s (0/s, 0s), writes 0 B/s (0/s, 0s)
}

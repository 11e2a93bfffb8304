// Fleet follows the domains of many hosts through libvirt: their states and how many events they
// have. Connections that are lost are made again.
//
//	go run ./examples/fleet qemu+ssh://root@host1/system qemu+ssh://root@host2/system
//
// Without arguments it follows 50 fake hosts, and breaks all their connections once. It prints a
// table at the end: with fake hosts when all states are as expected, with real ones when the
// program is interrupted.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"text/tabwriter"

	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/libvirt/libvirttls"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, uris []string, out io.Writer) error {
	if len(uris) == 0 {
		return runFakes(ctx, out)
	}
	f := newFleet()
	defer f.close()
	for _, uri := range uris {
		f.add(uri, uri, libvirttls.WithTLS())
	}
	<-ctx.Done()
	return print(out, f.table())
}

// print prints a table of hosts, and what it costs to follow them.
func print(out io.Writer, rows []row) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "HOST\tRUNNING\tPAUSED\tSHUT OFF\tOTHER\tEVENTS\tLOST\tERROR")
	total := row{host: "total", states: map[libvirt.State]int{}}
	for _, r := range rows {
		printRow(w, r)
		for state, n := range r.states {
			total.states[state] += n
		}
		total.events += r.events
		total.lost += r.lost
	}
	printRow(w, total)
	if err := w.Flush(); err != nil {
		return err
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	_, err := fmt.Fprintf(out, "%d hosts, %d goroutines, %d MiB of memory\n", len(rows), runtime.NumGoroutine(), (m.HeapInuse+m.StackInuse)>>20)
	return err
}

func printRow(w io.Writer, r row) {
	other := 0
	for state, n := range r.states {
		if state != libvirt.StateRunning && state != libvirt.StatePaused && state != libvirt.StateShutOff {
			other += n
		}
	}
	problem := ""
	if r.err != nil {
		problem = r.err.Error()
	}
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", r.host,
		r.states[libvirt.StateRunning], r.states[libvirt.StatePaused], r.states[libvirt.StateShutOff], other, r.events, r.lost, problem)
}

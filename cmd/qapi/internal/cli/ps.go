package cli

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/internal/printable"
)

// psCommand lists the QEMUs of this host.
func (a *app) psCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ps",
		Short: "List the QEMUs of this host, their addresses, and who uses them",
		Long: `Lists the QEMUs of this host. It finds them in /proc; it connects only to monitors that no
client uses, and only for a moment, to ask for the version.`,
		Args: count(0, 0),
	}
	asJSON := cmd.Flags().Bool("json", false, "write each as a line with a JSON object")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		machines, err := a.finder.Find(cmd.Context())
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		a.ps(cmd.Context(), machines, *asJSON)
		return nil
	}
	return cmd
}

// A psLine is what ps --json writes for a machine.
type psLine struct {
	PID     int    `json:"pid"`
	Name    string `json:"name,omitempty"`
	Program string `json:"program"`
	QEMU    string `json:"qemu,omitempty"`
	Address string `json:"address,omitempty"`
	Agent   string `json:"agent,omitempty"`
	Libvirt bool   `json:"libvirt,omitempty"`
	Clients int    `json:"clients"`
}

func (a *app) ps(ctx context.Context, machines []target.Machine, asJSON bool) {
	versions := askVersions(ctx, machines)
	if asJSON {
		for i, m := range machines {
			a.printLine(psLine{m.PID, m.Name, m.Program, versions[i], m.Address, m.Agent, m.Libvirt, m.Clients})
		}
		return
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "PID\tNAME\tQEMU\tADDRESS\tSTATE")
	for i, m := range machines {
		column := func(text string) string { return printable.String(cmp.Or(text, "-")) }
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", m.PID, column(m.Name), column(numbers(versions[i])), column(m.Address), state(m))
	}
	_ = w.Flush()
}

// numbers returns a version without the name of the distribution's package.
func numbers(version string) string {
	version, _, _ = strings.Cut(version, " ")
	return version
}

// state returns who uses a machine's monitor.
func state(m target.Machine) string {
	switch {
	case m.Libvirt:
		return "libvirt holds its monitor"
	case m.Address == "":
		return "no QMP monitor"
	case m.Clients == 1:
		return "busy: 1 client"
	case m.Clients > 1:
		return "busy: " + strconv.Itoa(m.Clients) + " clients"
	}
	return "free"
}

// askVersions returns the versions of those QEMUs whose monitors are free, without waiting
// long for any.
func askVersions(ctx context.Context, machines []target.Machine) []string {
	const limit = 300 * time.Millisecond
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	versions := make([]string, len(machines))
	var group sync.WaitGroup
	for i, m := range machines {
		if m.Address == "" || m.Libvirt || m.Clients > 0 || m.Waits {
			continue
		}
		group.Go(func() {
			if c, err := m.Dial(ctx); err == nil {
				versions[i] = c.Conn().Greeting().Version.String()
				c.Close()
			}
		})
	}
	group.Wait()
	return versions
}

package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qapi"
)

// supportsCommand asks a machine what it supports.
func (a *app) supportsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "supports ADDR PATH...",
		Short: "Ask a QEMU whether it has a command, an argument, a device …",
		Long: `Asks a QEMU whether it has what each path names, and prints yes or no, and the part that
is missing. The exit code is 1 if something is missing.

A path names a command, and can continue with its parts: blockdev-add/driver=nvme,
query-block->inserted/ro, "event STOP/…", screendump/format/@unstable. It can also begin with
"device NAME", "object NAME", "machine NAME" or "cpu NAME", and continue with a property.

` + target.Help,
		Example: `  qapi supports web01 blockdev-add/driver=nvme-io_uring "device virtio-blk-pci/iothread-vq-mapping"`,
		Args:    count(2, -1),
	}
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := withTimeout(cmd.Context(), *timeout)
		defer cancel()
		c, err := a.dial(ctx, args[0])
		if err != nil {
			return err
		}
		defer c.Close()
		return a.supports(ctx, c, args[1:])
	}
	return cmd
}

func (a *app) supports(ctx context.Context, c *qapi.Client, paths []string) error {
	all := true
	for _, path := range paths {
		has, missing, err := supportsPath(ctx, c, path)
		switch {
		case err != nil:
			return err
		case has:
			fmt.Fprintf(a.out, "yes  %s\n", path)
		default:
			fmt.Fprintf(a.out, "no   %s\n", printable.String(missing))
			all = false
		}
	}
	if !all {
		return exit.Silent(exit.Failed)
	}
	return nil
}

// supportsPath asks for one path. missing says what is missing.
func supportsPath(ctx context.Context, c *qapi.Client, path string) (has bool, missing string, err error) {
	kind, _, _ := strings.Cut(path, " ")
	switch kind {
	case "device", "object", "machine", "cpu":
		has, err = qapi.Supports(ctx, c, path)
		return has, path, err
	}
	caps, err := qapi.Introspect(ctx, c)
	if err != nil {
		return false, "", err
	}
	err = caps.Check(path)
	if err == nil {
		return true, "", nil
	}
	missing = exit.Explain(err)
	if unknown := facts.CheckPath(facts.QMP, path); unknown != nil { // no release has it: it is misspelt, or from a fork
		missing = unknown.Error()
	}
	return false, missing, nil
}

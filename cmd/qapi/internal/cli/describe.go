package cli

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/describe"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
)

// describeCommand shows what a name of QEMU's interface means.
func (a *app) describeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "describe NAME[/PATH]",
		Short: "Show what a command, an event, a type or a device is",
		Long: `Shows what a command, an event, a type or a device is: in our words, with its parts, the
releases of QEMU that have it, and an example. It needs no QEMU.

A path leads to a part, as in blockdev-add/driver=qcow2/file or query-block->inserted.`,
		Example: `  qapi describe blockdev-add
  qapi describe blockdev-add/driver=qcow2 -r 7.2
  qapi describe BLOCK_JOB_COMPLETED
  qapi describe virtio-blk-pci`,
		Args: count(1, 1),
	}
	release := cmd.Flags().StringP("release", "r", "", "the `release` of QEMU, such as 7.2 (default: the newest)")
	asJSON := cmd.Flags().Bool("json", false, "write it as JSON")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		library, err := describe.New(*release)
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		entry, err := library.Lookup(args[0])
		if err != nil {
			return exit.With(exit.Usage, err)
		}
		if !*asJSON {
			return entry.Print(term.New(a.out, a.env))
		}
		text, err := json.MarshalIndent(entry, "", "  ")
		if err != nil {
			return err
		}
		a.write(append(text, '\n'))
		return nil
	}
	return cmd
}

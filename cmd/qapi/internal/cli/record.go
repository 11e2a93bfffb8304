package cli

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/internal/address"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

// recordCommand records a session between another program and a QEMU.
func (a *app) recordCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "record LISTEN ADDR FILE",
		Short: "Record the messages between a program and a QEMU",
		Long: `Records the session of another program with a QEMU, or a guest agent: waits for the
program at LISTEN, such as unix:/tmp/qmp.sock or tcp:localhost:4444, connects it to the
monitor at ADDR, and writes their messages to FILE, without passwords, until one of them
disconnects. Package qmp/qmptest/record replays the file in tests.

` + target.Help,
		Args: count(3, 3),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.record(cmd.Context(), args[0], args[1], args[2])
		},
	}
}

func (a *app) record(ctx context.Context, listen, addr, path string) (err error) {
	at, err := address.ParseStream(listen)
	if err != nil {
		return exit.Usagef("listen: %w", err)
	}
	m, err := a.one(ctx, addr)
	if err != nil {
		return err
	}
	if m.Libvirt {
		return exit.Usagef("a session with libvirt cannot be recorded: %s", addr)
	}
	// The file also contains secrets that only the owner can recognise.
	file, err := createPrivate(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := file.Close(); err == nil {
			err = e
		}
	}()
	l, err := at.Listen(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.errOut, "waiting at %s\n", l.Address())
	return record.Serve(ctx, l, m.Address, file)
}

// createPrivate creates a file that only its owner can read, or empties an existing one.
func createPrivate(path string) (*os.File, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s exists and is not a regular file", path)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err = file.Chmod(0o600); err == nil { // an existing file keeps its mode
		err = file.Truncate(0)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

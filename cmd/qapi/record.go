package main

import (
	"context"
	"fmt"
	"os"

	"github.com/goqapi/goqapi/internal/address"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

// record records a session between another program and a QEMU.
func (t *tool) record(ctx context.Context, args []string) (err error) {
	f := t.flags("record", "LISTEN TARGET FILE", `Records the session of another program with a QEMU, or a guest agent: waits for the
program at LISTEN, connects it to the monitor at TARGET, and writes what they say to
FILE, without passwords, until one of them leaves. LISTEN and TARGET are addresses
such as unix:/tmp/qmp.sock or tcp:localhost:4444. Package qmp/qmptest/record replays
the file in tests.`)
	if err := t.parse(f, args, 3, 3); err != nil {
		return err
	}
	a, err := address.ParseStream(f.Arg(0))
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	// The file also contains secrets that only the owner can recognise.
	file, err := createPrivate(f.Arg(2))
	if err != nil {
		return err
	}
	defer func() {
		if e := file.Close(); err == nil {
			err = e
		}
	}()
	l, err := a.Listen(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(t.stderr, "waiting at %s\n", l.Address())
	return record.Serve(ctx, l, f.Arg(1), file)
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

//go:build unix

package cmdline_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qmp"
)

func TestVersion(t *testing.T) {
	// script makes a program of a shell script.
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "qemu")
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700))
		return path
	}
	ctx := t.Context()
	v, err := cmdline.Version(ctx, script(`test "$*" = --version && echo "QEMU emulator version 7.2.22 (x)"`))
	require.NoError(t, err)
	assert.Equal(t, qmp.Version{Major: 7, Minor: 2, Micro: 22, Package: "x"}, v)

	_, err = cmdline.Version(ctx, script("printf 'no\\033[2J'"))
	require.EqualError(t, err, `cmdline: qemu --version does not say which QEMU it is: no\x1b[2J`)
	_, err = cmdline.Version(ctx, script("echo broken >&2; exit 3"))
	require.EqualError(t, err, `cmdline: qemu --version: exit status 3: broken\n`)
	_, err = cmdline.Version(ctx, filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = cmdline.Version(ctx, "no-such-program-of-goqapi")
	require.ErrorIs(t, err, exec.ErrNotFound)

	cmd, err := cmdline.Command(ctx, script("echo QEMU emulator version 5.2.0"), cmdline.Machine("none", nil))
	require.NoError(t, err)
	assert.Equal(t, []string{"-machine", "none"}, cmd.Args[1:])
	cmd, err = cmdline.Command(ctx, script("echo qemu-storage-daemon version 5.2.0"),
		cmdline.Object(qapi.ObjectOptions{ID: "io0", QOMType: qapi.ObjectOptionsIothread{}}))
	require.NoError(t, err)
	assert.Equal(t, []string{"--object", "iothread,id=io0"}, cmd.Args[1:])
	_, err = cmdline.Command(ctx, script("exit 1"))
	require.ErrorContains(t, err, "exit status 1")
	_, err = cmdline.Command(ctx, script("echo QEMU emulator version 5.2.0"), cmdline.Machine("", nil))
	require.ErrorContains(t, err, "argument 1")

	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(reason)
	_, err = cmdline.Version(ctx, script("sleep 60"))
	require.EqualError(t, err, "cmdline: qemu --version: context canceled: enough")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, reason)
}

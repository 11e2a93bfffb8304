package qapi_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func TestHMP(t *testing.T) {
	srv, c := dialFake(t)
	tests := []struct{ prints, want, fails string }{
		{"", "", ""},
		{"VM status: paused\r\n", "VM status: paused\n", ""},
		{"warning: it is deprecated\r\n", "warning: it is deprecated\n", ""},
		{"one\r\nJob not found\r\n", "one\nJob not found\n", ""},
		{"one\r\nError: two\r\nthree\r\n", "one\nError: two\nthree\n", "two"},
		{"warning: it is deprecated\r\nJob not found\r\n", "warning: it is deprecated\nJob not found\n", "Job not found"},
	}
	for _, test := range tests {
		qmptest.Handle(srv, srv.Commands.HumanMonitorCommand,
			func(context.Context, qapi.HumanMonitorCommandArgs) (string, error) { return test.prints, nil })
		got, err := qapi.HMP(t.Context(), c, "info x")
		assert.Equal(t, test.want, got)
		if test.fails == "" {
			assert.NoError(t, err, test.prints)
			continue
		}
		refused, ok := errors.AsType[*qmp.Error](err)
		if assert.True(t, ok, "%q: %v", test.prints, err) {
			assert.Equal(t, qmp.Error{Command: "info", Class: qmp.ClassGenericError, Desc: test.fails}, *refused)
		}
	}
	require.NoError(t, c.Close())
	_, err := qapi.HMP(t.Context(), c, "info x")
	assert.ErrorIs(t, err, qmp.ErrClosed)
}

// TestQEMUHMP tries lines that fail, and some that do not, in every release.
func TestQEMUHMP(t *testing.T) {
	fail := []string{
		"none", "info none", "help none", "stop extra", "balloon", "balloon x", "x /4x", "device_add none", "device_del none",
		"device_add virtio-rng-pci,bus=none", "drive_add 0 if=none,file=/none/none,id=x", "savevm x", "loadvm x",
		"commit none", "netdev_add none", "sendkey none", "object_del none", "chardev-remove none", "qom-get /none x",
		"migrate none:1", "xp /4xb 0xffffffffffff", "cpu 9", "trace-event none on", "block_resize none 1",
		"hostfwd_add tcp::1-:2", "boot_set zz", "mouse_set 99", "wavcapture /none/none none", "pcie_aer_inject_error none 0",
	}
	succeed := []string{
		"", "info status", "info registers", "info qtree", "info block", "x /4xb 0", "sendkey ret", "help", "gdbserver none",
		"chardev-add null,id=c0", "nmi", "info mtree", "info version",
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", "-machine", "q35"))
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		for _, line := range fail {
			text, err := qapi.HMP(t.Context(), c, line)
			assert.NotEmpty(t, qmp.ClassOf(err), "%s printed %q", line, text)
		}
		for _, line := range succeed {
			_, err := qapi.HMP(t.Context(), c, line)
			assert.NoError(t, err, line)
		}
		for _, line := range []string{"device_del none", "chardev-remove none", "commit none"} {
			_, err = qapi.HMP(t.Context(), c, line)
			assert.True(t, qapi.IsNotFound(err), "%v", err)
		}
		_, err = qapi.HMP(t.Context(), c, "none")
		assert.True(t, qapi.IsUnsupported(err), "%v", err)
	})
}

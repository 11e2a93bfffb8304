package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
)

// TestLibvirt runs the steps of the program with a QEMU that libvirt owns, and gets all its
// events.
func TestLibvirt(t *testing.T) {
	l := qemutest.StartLibvirtd(t)
	h, err := libvirt.Dial(t.Context(), l.URI())
	require.NoError(t, err)
	defer h.Close()
	for _, q := range qemutest.LibvirtQEMUs(t) {
		t.Run(q.Release, func(t *testing.T) {
			name := "demo" + q.Release
			l.Create(t, q, name)
			conn, err := qmp.DialFunc(t.Context(), h.QMP(name))
			require.NoError(t, err)
			defer conn.Close()
			ofAll := h.Events(t.Context())
			s := conn.Subscribe(nil)
			out := bytes.NewBufferString("Driving libvirt\n")
			require.NoError(t, play(t.Context(), qapi.NewClient(conn), out), "%s", out)
			assert.Equal(t, lines, subjects(t, out.Bytes()))

			var events []string
			lost := false
			for e, err := range s.All(t.Context()) {
				if err != nil {
					assert.ErrorIs(t, err, qmp.ErrClosed)
					break
				}
				events = append(events, e.Name)
				lost = e.Name == "SHUTDOWN" && e.Timestamp.IsZero()
			}
			const job = "JOB_STATUS_CHANGE"
			assert.Equal(t, []string{job, job, job, job, job, job, "RESUME", "DEVICE_DELETED", "SHUTDOWN"}, events)
			assert.Equal(t, lost, stopOf(t, ofAll) == libvirt.StopFailed)
			t.Logf("libvirt lost SHUTDOWN: %v", lost)
		})
	}
}

// stopOf returns why a domain has stopped.
func stopOf(t *testing.T, events func(func(libvirt.Event, error) bool)) libvirt.StopReason {
	t.Helper()
	for e, err := range events {
		require.NoError(t, err)
		if e.Lifecycle == libvirt.LifecycleStopped {
			return e.Stop
		}
	}
	return ""
}

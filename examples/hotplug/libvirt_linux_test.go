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

// TestLibvirt does with a QEMU of libvirt's what the program does with one of its own, and
// gets all events of it.
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
			var events []string
			s := conn.Subscribe(nil)
			out := bytes.NewBufferString("Driving libvirt\n")
			want, job := lines, "JOB_STATUS_CHANGE"
			wantEvents := []string{job, job, job, job, job, job, "RESUME", "DEVICE_DELETED", "SHUTDOWN"}
			if err := play(t.Context(), qapi.NewClient(conn), out); err != nil {
				// In one of about nine runs libvirt reads "Connection reset by peer" when QEMU ends, and
				// never sends SHUTDOWN: it had not come when the domain had stopped, either.
				require.ErrorIs(t, err, qmp.ErrClosed, "%s", out)
				require.ErrorContains(t, err, "SHUTDOWN: ")
				t.Log("the last event, SHUTDOWN, did not come: ", err)
				want, wantEvents = lines[:len(lines)-1], wantEvents[:len(wantEvents)-1]
			}
			assert.Equal(t, want, subjects(t, out.Bytes()))
			for e, err := range s.All(t.Context()) {
				if err != nil {
					assert.ErrorIs(t, err, qmp.ErrClosed)
					break
				}
				events = append(events, e.Name)
			}
			assert.Equal(t, wantEvents, events)
		})
	}
}

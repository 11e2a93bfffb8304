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
	for _, q := range qemutest.QEMUs(t) {
		t.Run(q.Release, func(t *testing.T) {
			name := "demo" + q.Release
			l.Create(t, q, name)
			conn, err := qmp.DialFunc(t.Context(), h.QMP(name))
			require.NoError(t, err)
			defer conn.Close()
			var events []string
			s := conn.Subscribe(nil)
			var out bytes.Buffer
			require.NoError(t, play(t.Context(), qapi.NewClient(conn), &out), "%s", &out)
			assert.Equal(t, lines, subjects(t, append([]byte("\n"), out.Bytes()...)))
			for e, err := range s.All(t.Context()) {
				if err != nil {
					assert.ErrorIs(t, err, qmp.ErrClosed)
					break
				}
				events = append(events, e.Name)
			}
			t.Log(events)
		})
	}
}

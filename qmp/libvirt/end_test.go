package libvirt_test

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
)

// stopOf returns why a domain has stopped.
func stopOf(t *testing.T, h *libvirt.Host, do func()) libvirt.StopReason {
	t.Helper()
	events := h.Events(t.Context())
	do()
	for e, err := range events {
		require.NoError(t, err)
		if e.Lifecycle == libvirt.LifecycleStopped {
			return e.Stop
		}
		assert.Empty(t, e.Stop)
	}
	return ""
}

// After quit the event SHUTDOWN comes once, even if libvirt loses it; then the stream ends.
func TestQuit(t *testing.T) {
	for _, lost := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, 1)
			c := w.dial(t, "vm0")
			want := libvirt.StopShutdown
			if lost {
				w.d.LoseShutdown("vm0")
				want = libvirt.StopFailed
			}
			all := c.Conn().Subscribe(nil)
			reason := stopOf(t, w.Host, func() {
				e, err := qapi.Await[qapi.ShutdownEvent](t.Context(), c, c.Quit, nil)
				require.NoError(t, err)
				assert.Equal(t, qapi.ShutdownEvent{Timestamp: e.Timestamp, Reason: qapi.ShutdownCauseHostQMPQuit}, e)
				assert.Equal(t, lost, e.Timestamp.IsZero())
			})
			assert.Equal(t, want, reason)
			var names []string
			for e, err := range all.All(t.Context()) {
				if err != nil {
					require.ErrorIs(t, err, qmp.ErrClosed)
					require.ErrorIs(t, err, io.EOF)
					break
				}
				names = append(names, e.Name)
			}
			assert.Equal(t, []string{"SHUTDOWN"}, names)
		})
	}
}

// If quit was not sent, or QEMU has refused it, the package does not add a SHUTDOWN.
func TestNoQuit(t *testing.T) {
	for _, refused := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			w := newWorld(t, 1)
			c := w.dial(t, "vm0")
			w.d.LoseShutdown("vm0")
			all := c.Conn().Subscribe(nil)
			if refused {
				w.vms[0].Fail("quit", qmp.ClassGenericError, "not now")
				assert.ErrorContains(t, c.Quit(t.Context()), "not now")
			}
			assert.Equal(t, libvirt.StopDestroyed, stopOf(t, w.Host, func() { w.d.Stop("vm0") }))
			_, err := all.Next(t.Context())
			assert.ErrorIs(t, err, qmp.ErrClosed)
		})
	}
}

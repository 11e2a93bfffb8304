package libvirt

import (
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/virrpc"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

// A stream of a domain that has been started again since it was looked up would have the commands
// of one run and the events of the other: it ends.
func TestRestartedWhileDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := libvirttest.Start(t)
		require.NoError(t, d.Run("vm", qmptest.Start(t), nil))
		h, err := Dial(t.Context(), "qemu:///system", WithDialer(d.Dial))
		require.NoError(t, err)
		defer h.Close()
		c, err := h.line(t.Context(), 0)
		require.NoError(t, err)
		stops := h.stopsSoFar()
		domain, err := lookup(t.Context(), c, "vm")
		require.NoError(t, err)
		d.Stop("vm")
		require.NoError(t, d.Run("vm", qmptest.Start(t), nil))
		synctest.Wait()

		s := h.streamOf(domain, false)
		require.NoError(t, h.add(s, c, stops))
		synctest.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		assert.Equal(t, io.EOF, s.err)
	})
}

// A stream that waits for its turn, because of commands of other Hosts, does not hold up Close.
func TestCloseWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := libvirttest.Start(t)
		require.NoError(t, d.Run("vm", qmptest.Start(t), nil))
		h, err := Dial(t.Context(), "qemu:///system", WithDialer(d.Dial))
		require.NoError(t, err)
		for i := range maxPerGate {
			require.NoError(t, h.gate.enter(t.Context(), monitor{domain: virrpc.UUID{byte(i)}}))
		}
		s, err := h.dial(t.Context(), "vm", false)
		require.NoError(t, err)
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, h.Close())
		assert.Zero(t, time.Since(begin))
		_, err = s.Read(make([]byte, 1))
		assert.ErrorIs(t, err, errClosed)
	})
}

package libvirt

import (
	"context"
	"encoding/binary"
	"io"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/virrpc"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

// If a domain was started again after it was looked up, its stream would have the commands
// of one run and the events of the other: so the stream ends.
func TestRestartedWhileDialling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := libvirttest.Start(t)
		require.NoError(t, d.Run("vm", qmptest.Start(t), nil))
		h, err := Dial(t.Context(), "qemu:///system", WithDialer(d.Dial))
		require.NoError(t, err)
		defer h.Close()
		c, err := h.connAt(t.Context(), 0)
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

// Close does not wait for a stream that waits for commands of other Hosts.
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

// A troubled stream passes lookups to libvirt late, or as calls that libvirt refuses.
type troubled struct {
	io.ReadWriteCloser
	on    *atomic.Bool
	late  time.Duration
	wrong bool
}

func (s troubled) Write(b []byte) (int, error) {
	const at, unknown = 12, 9999 // length, program and version are before the procedure
	if !s.on.Load() || binary.BigEndian.Uint32(b[at:]) != uint32(virrpc.DomainLookupByName) {
		return s.ReadWriteCloser.Write(b)
	}
	call := slices.Clone(b)
	if s.wrong {
		binary.BigEndian.PutUint32(call[at:], unknown)
	}
	go func() {
		time.Sleep(s.late)
		_, _ = s.ReadWriteCloser.Write(call) // the connection may have ended
	}()
	return len(b), nil
}

// The stream of a domain that has stopped ends, even if libvirt is too busy to answer which QEMU runs, or
// answers with an error. It does not end if libvirt answers that the stream's QEMU runs.
func TestEndOfStopped(t *testing.T) {
	for name, test := range map[string]struct {
		troubled
		runs bool // it is an earlier QEMU that has stopped
		want error
	}{
		"late":        {troubled{late: 5 * time.Minute}, false, io.EOF},
		"refused":     {troubled{wrong: true}, false, io.EOF},
		"runs":        {troubled{}, true, nil},
		"runs, late":  {troubled{late: 5 * time.Minute}, true, nil},
		"closed then": {troubled{late: time.Hour}, false, errClosed},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := libvirttest.Start(t)
				require.NoError(t, d.Run("vm", qmptest.Start(t), nil))
				var on atomic.Bool
				h, err := Dial(t.Context(), "qemu:///system", WithDialer(func(ctx context.Context) (io.ReadWriteCloser, error) {
					rw, err := d.Dial(ctx)
					return troubled{rw, &on, test.late, test.wrong}, err
				}))
				require.NoError(t, err)
				defer h.Close()
				s, err := h.dial(t.Context(), "vm", false)
				require.NoError(t, err)
				synctest.Wait() // until it is greeted
				on.Store(true)
				if test.runs {
					h.lifecycle(virrpc.Lifecycle{Domain: s.domain, Event: 5})
				} else {
					d.Stop("vm")
				}
				time.Sleep(6 * time.Minute)
				if test.want == errClosed {
					require.NoError(t, h.Close())
				}
				synctest.Wait()
				s.mu.Lock()
				assert.Equal(t, test.want, s.err)
				s.mu.Unlock()
				time.Sleep(test.late) // until troubled has passed everything
			})
		})
	}
}

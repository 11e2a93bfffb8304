package qmp

import (
	"bufio"
	"context"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// TestQEMUAgent talks to real agents on this host, with harmless commands.
func TestQEMUAgent(t *testing.T) {
	qemutest.EachAgent(t, func(t *testing.T, a qemutest.Agent) {
		addr := a.Start(t)
		c, err := DialAgent(t.Context(), "unix:"+addr, WithEventError(func(err error) { assert.NoError(t, err) }))
		require.NoError(t, err)
		defer c.Close()

		var number int64
		require.NoError(t, c.Execute(t.Context(), "guest-sync", map[string]int64{"id": 1 << 52}, &number))
		assert.Equal(t, int64(1<<52), number)
		refused := new(Error)
		require.ErrorAs(t, c.Execute(t.Context(), "guest-fly", nil, nil), &refused)
		assert.Equal(t, ClassCommandNotFound, refused.Class)

		for range 20 { // abandoned before, while or after it is answered
			ctx, cancel := context.WithCancel(t.Context())
			done := async(func() error { return c.Execute(ctx, "guest-info", nil, nil) })
			cancel()
			if err := <-done; err != nil {
				require.ErrorIs(t, err, context.Canceled)
			}
			var host struct {
				Name string `json:"host-name"`
			}
			require.NoError(t, c.Execute(t.Context(), "guest-get-host-name", nil, &host))
			assert.NotEmpty(t, host.Name)
		}

		// An earlier client leaves half a request. It has read its answer before: an agent ends when
		// a client leaves without having read its answer.
		require.NoError(t, c.Close())
		rude, err := net.Dial("unix", addr)
		require.NoError(t, err)
		_, err = rude.Write([]byte(`{"execute":"guest-ping"}{"execute":"guest-ping","arguments":{"a":"`))
		require.NoError(t, err)
		_, err = bufio.NewReader(rude).ReadString('\n')
		require.NoError(t, err)
		require.NoError(t, rude.Close())
		c, err = DialAgent(t.Context(), "unix:"+addr, WithEventError(func(err error) { assert.NoError(t, err) }))
		require.NoError(t, err)
		defer c.Close()
		require.NoError(t, c.Execute(t.Context(), "guest-ping", nil, nil))

		// The agent serves one client at a time; a second client gets no answer.
		_, err = DialAgent(t.Context(), "unix:"+addr, WithHandshakeTimeout(50*time.Millisecond))
		require.ErrorIs(t, err, ErrNoAgent)
		require.NoError(t, c.Execute(t.Context(), "guest-ping", nil, nil))
	})
}

// TestQEMUNoAgent dials the port of a guest that does not run.
func TestQEMUNoAgent(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir, err := os.MkdirTemp("", "qga") // t.TempDir can be too long for a socket
		require.NoError(t, err)
		t.Cleanup(func() { os.RemoveAll(dir) })
		socket := filepath.Join(dir, "s")
		monitor := q.Start(t, "-qmp", "-machine", "q35,accel=tcg",
			"-chardev", "socket,id=agent,server=on,wait=off,path="+socket,
			"-device", "virtio-serial", "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0")
		m, err := NewConn(t.Context(), monitor)
		require.NoError(t, err) // then it listens
		defer m.Close()
		for range 2 {
			_, err = DialAgent(t.Context(), "unix:"+socket, WithHandshakeTimeout(100*time.Millisecond))
			require.ErrorIs(t, err, ErrNoAgent)
		}
	})
}

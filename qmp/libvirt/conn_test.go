package libvirt

import (
	"context"
	"io"
	"net"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/virrpc"
)

// pipeConn returns a connection, and the end of libvirt, which reads nothing by itself.
func pipeConn(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	c := newConn(client, func(virrpc.Packet) {}, func(error) {})
	go c.read()
	return c, server
}

// A libvirt that sends pings and does not read the answers does not cost more with each ping.
func TestFloodOfPings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := pipeConn(t)
		defer server.Close()
		var ping virrpc.Packet
		ping.Program, ping.Version, ping.Procedure, ping.Type = virrpc.Keepalive, version, virrpc.Ping, virrpc.Message
		before := runtime.NumGoroutine()
		for range 1000 {
			_, err := server.Write(ping.Append(nil))
			require.NoError(t, err)
		}
		synctest.Wait()
		assert.Less(t, runtime.NumGoroutine(), before+100)
		pong, err := virrpc.Read(server)
		require.NoError(t, err)
		assert.Equal(t, int32(virrpc.Pong), pong.Procedure)
		c.fail(io.ErrClosedPipe)
	})
}

// A call ends with its context, also while libvirt does not read it.
func TestContextWhileWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := pipeConn(t)
		defer server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := c.call(ctx, virrpc.Remote, virrpc.ConnectGetAllDomainStats, nil)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(begin))
		c.fail(io.ErrClosedPipe)
	})
}

// A stream without deadlines whose other end stops reading is ended by the keepalive, also while a long
// message is written.
func TestStuckWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		c := newConn(struct{ io.ReadWriteCloser }{client}, func(virrpc.Packet) {}, func(error) {})
		go c.read()
		c.keepAlive(keepaliveInterval)
		go func() { _, _ = io.CopyN(io.Discard, server, 1<<20) }()
		begin := time.Now()
		_, err := c.call(t.Context(), virrpc.Remote, virrpc.ConnectGetAllDomainStats, make([]byte, 2<<20))
		assert.ErrorContains(t, err, "libvirt has not answered for 25s")
		assert.Equal(t, 30*time.Second, time.Since(begin))
	})
}

package migration_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// A cut is where a connection is lost: at a message that the client writes.
type cut struct {
	at    int32  // which one it is, from 1
	how   string // before, after, or reply: when its answer comes
	count atomic.Int32
}

// ways are those in which a connection can be lost at a message.
var ways = []string{"before", "after", "reply"}

var errCut = errors.New("cut")

// A cutConn is lost where the cut says, once.
type cutConn struct {
	net.Conn

	cut    *cut
	struck atomic.Bool
}

func (c *cutConn) Write(p []byte) (int, error) {
	if c.cut.count.Add(1) != c.cut.at {
		return c.Conn.Write(p)
	}
	n := 0
	if c.cut.how != "before" {
		n, _ = c.Conn.Write(p)
	}
	if c.cut.how == "reply" {
		c.struck.Store(true)
		return n, nil
	}
	c.Close()
	return n, errCut
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.struck.Load() {
		c.Close()
		return 0, errCut
	}
	return n, err
}

// dialCut returns a client that reconnects, whose connection is cut.
func dialCut(t *testing.T, c *cut, dial func() (net.Conn, error)) *qapi.Client {
	t.Helper()
	conn, err := qmp.DialFunc(t.Context(), func(context.Context) (io.ReadWriteCloser, error) {
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		return &cutConn{Conn: conn, cut: c}, nil
	}, qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond, Patient: true}))
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

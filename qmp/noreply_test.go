package qmp

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A breaking stream fails after a number of bytes have been written.
type breaking struct {
	net.Conn
	left *atomic.Int64
}

func (s breaking) Write(b []byte) (int, error) {
	n := min(len(b), int(s.left.Load()))
	s.left.Add(int64(-n))
	if n > 0 {
		if n, err := s.Conn.Write(b[:n]); err != nil {
			return n, err
		}
	}
	if n < len(b) {
		return n, syscall.EPIPE
	}
	return n, nil
}

// A command without a reply succeeds when the server closes the connection only if all of the command was written.
func TestNoReplyNotWritten(t *testing.T) {
	const shutdown = `{"execute":"guest-shutdown","id":1}`
	for name, test := range map[string]struct {
		written int
		batch   bool // another command is written together with it
		closes  bool // the server closes the connection
		fails   bool
	}{
		"nothing":               {0, false, true, true},
		"a part":                {len(shutdown) - 1, false, true, true},
		"all":                   {len(shutdown), false, true, false},
		"nothing, no end":       {0, false, false, true},
		"all, not what follows": {len(shutdown) + 10, true, true, false},
		"a part of both":        {len(shutdown) - 1, true, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				defer theirs.Close()
				peer := newPeer(t, theirs)
				left := new(atomic.Int64)
				left.Store(1 << 20)
				var shaken sync.WaitGroup
				shaken.Go(peer.handshake)
				conn, err := NewConn(t.Context(), breaking{ours, left})
				require.NoError(t, err)
				defer conn.Close()
				shaken.Wait()

				conn.Go(t.Context(), "first", nil, nil, nil) // waits until it is read
				synctest.Wait()
				left.Store(int64(test.written))
				if !test.batch {
					peer.answer(peer.next(), "{}")
					synctest.Wait()
				}
				done := async(func() error { return conn.ExecuteNoReply(t.Context(), "guest-shutdown", nil) })
				synctest.Wait()
				if test.batch {
					conn.Go(t.Context(), "guest-ping", nil, nil, nil)
					synctest.Wait()
					peer.next()
				}
				go io.Copy(io.Discard, theirs)
				synctest.Wait()
				if test.closes {
					theirs.Close()
				}
				err = returned(t, "guest-shutdown", done)
				if !test.fails {
					assert.NoError(t, err)
					return
				}
				assert.ErrorIs(t, err, ErrClosed)
			})
		})
	}
}

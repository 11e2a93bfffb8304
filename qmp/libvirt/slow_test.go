package libvirt_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A slow stream passes so many bytes a second in each direction.
type slow struct {
	io.ReadWriteCloser
	rate int
}

func (s slow) take(b []byte) []byte {
	b = b[:min(len(b), s.rate/10)]
	time.Sleep(time.Second * time.Duration(len(b)) / time.Duration(s.rate))
	return b
}

func (s slow) Read(b []byte) (int, error) { return s.ReadWriteCloser.Read(s.take(b)) }

func (s slow) Write(b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var m int
		m, err = s.ReadWriteCloser.Write(s.take(b[n:]))
		n += m
	}
	return n, err
}

// SetWriteDeadline makes it a stream whose writes can end.
func (s slow) SetWriteDeadline(t time.Time) error {
	return s.ReadWriteCloser.(net.Conn).SetWriteDeadline(t)
}

// A slow network does not end a connection while there is progress; calls keep their limit.
func TestSlowNetwork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 0)
		vm := qmptest.Start(t, qmptest.Unchecked())
		require.NoError(t, w.d.Run("vm", vm, nil))
		vm.Handle("long", func(_ context.Context, req *qmptest.Request) (any, error) { return req.Arguments, nil })
		for _, limit := range []time.Duration{0, time.Minute} {
			h, err := libvirt.Dial(t.Context(), "qemu:///system", libvirt.WithCallTimeout(limit), libvirt.WithDialer(func(ctx context.Context) (io.ReadWriteCloser, error) {
				rw, err := w.d.Dial(ctx)
				return slow{rw, 32 << 10}, err
			}))
			require.NoError(t, err)
			conn, err := qmp.DialFunc(t.Context(), h.QMP("vm"))
			require.NoError(t, err)
			begin := time.Now()
			args := map[string]string{"text": strings.Repeat("x", 3<<20)}
			var got map[string]string
			err = conn.Execute(t.Context(), "long", args, &got)
			if limit == 0 {
				require.NoError(t, err)
				assert.Equal(t, args, got)
				assert.Greater(t, time.Since(begin), 3*time.Minute) // 96 s there, and 96 s back
			} else {
				assert.ErrorIs(t, err, qmp.ErrAbandoned)
				assert.Equal(t, limit, time.Since(begin))
			}
			assert.NoError(t, conn.Err())
			conn.Close()
			assert.NoError(t, h.Close())
		}
		time.Sleep(time.Second) // until slow notices it
	})
}

package libvirt_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

// An echo is a command that returns its argument.
type echo struct {
	N int `json:"n"`
}

// A ledger has how often each echo was executed.
type ledger struct {
	mu    sync.Mutex
	times map[int]int
}

// serve lets vm execute echoes, each of which takes up to 2 ms.
func (l *ledger) serve(vm *qmptest.Server) {
	vm.Handle("echo", func(_ context.Context, req *qmptest.Request) (any, error) {
		var args echo
		if err := req.Decode(&args); err != nil {
			return nil, err
		}
		time.Sleep(rand.N(2 * time.Millisecond))
		l.mu.Lock()
		l.times[args.N]++
		l.mu.Unlock()
		return args, nil
	})
}

// check compares the outcome of a call with the ledger.
func (l *ledger) check(t *testing.T, n, got int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	times := l.times[n]
	switch {
	case err == nil:
		assert.Equal(t, n, got, "the reply")
		assert.Equal(t, 1, times, "echo %d succeeded", n)
	case qmp.MayHaveRun(err):
		assert.ErrorIs(t, err, qmp.ErrClosed)
		assert.LessOrEqual(t, times, 1, "echo %d: %v", n, err)
	default:
		assert.Zero(t, times, "echo %d: %v", n, err)
	}
}

// The connection to libvirt is lost 300 times under load: no call gets a wrong reply, none is executed
// twice, and nothing is left running (the bubble would not end).
func TestRestarts(t *testing.T) {
	const domains, callers = 6, 3
	restarts := 300
	if testing.Short() {
		restarts = 50
	}
	bubble(t, func(t *testing.T) {
		d := libvirttest.Start(t)
		h, err := libvirt.Dial(t.Context(), "qemu:///system", libvirt.WithDialer(d.Dial))
		require.NoError(t, err)
		l := &ledger{times: map[int]int{}}
		var load sync.WaitGroup
		var next, done, failed atomic.Int64
		over := make(chan struct{})
		var conns []*qmp.Conn
		for i := range domains {
			vm := qmptest.Start(t, qmptest.Unchecked())
			l.serve(vm)
			name := fmt.Sprint("vm", i)
			require.NoError(t, d.Run(name, vm, nil))
			quick := qmp.Reconnect{MinDelay: time.Millisecond, MaxDelay: 10 * time.Millisecond}
			conn, err := qmp.DialFunc(t.Context(), h.QMP(name), qmp.WithReconnect(quick))
			require.NoError(t, err)
			conns = append(conns, conn)
			for range callers {
				load.Go(func() {
					for {
						select {
						case <-over:
							return
						default:
						}
						n := int(next.Add(1))
						var got echo
						err := conn.Execute(t.Context(), "echo", echo{n}, &got)
						if err != nil {
							failed.Add(1)
						}
						done.Add(1)
						l.check(t, n, got.N, err)
					}
				})
			}
		}
		for range restarts {
			before := done.Load()
			for done.Load() < before+20 { // there is load between restarts
				time.Sleep(rand.N(3 * time.Millisecond))
			}
			d.Cut()
		}
		close(over)
		load.Wait()
		t.Logf("%d calls, of which %d failed", done.Load(), failed.Load())
		assert.Positive(t, failed.Load())
		most := d.Most()
		assert.LessOrEqual(t, most.Client, 4)
		assert.NoError(t, h.Close())
		for _, conn := range conns {
			conn.Close()
		}
		synctest.Wait()
	})
}

package libvirt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

// The commands of a domain are executed one at a time, in the order in which they were issued, also if
// two connections issue them.
func TestOneAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		a, b := w.dial(t, "vm0"), w.dial(t, "vm0")
		var wait sync.WaitGroup
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprintf(`{"path":"/o%d"}`, i))
			wait.Go(func() { _, _ = a.QOMList(t.Context(), qapi.QOMListArgs{Path: fmt.Sprint("/o", i)}) })
			wait.Go(func() { _, _ = b.QueryStatus(t.Context()) })
			synctest.Wait()
		}
		wait.Wait()
		var got []string
		for _, call := range w.vms[0].Calls() {
			if call.Command == "qom-list" {
				got = append(got, string(call.Arguments))
			}
		}
		assert.Equal(t, want, got)
		assert.Equal(t, libvirttest.Load{Client: 1, Daemon: 1}, w.d.Most())
	})
}

// call issues a command in the background.
func call(t *testing.T, c *qapi.Client) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := c.QueryStatus(t.Context())
		done <- err
	}()
	return done
}

// Seven QEMUs that do not answer do not delay the eighth, and libvirt has four commands on
// each connection. If eight QEMUs do not answer, the commands of others have to wait.
func TestHung(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 9)
		var clients []*qapi.Client
		var calls []<-chan error
		for i := range 9 {
			clients = append(clients, w.dial(t, fmt.Sprint("vm", i)))
		}
		for i := range 7 {
			w.d.Hang(fmt.Sprint("vm", i), true)
			calls = append(calls, call(t, clients[i]))
		}
		synctest.Wait()
		begin := time.Now()
		for range 10 {
			_, err := clients[8].QueryStatus(t.Context())
			require.NoError(t, err)
		}
		_, err := w.Domains(t.Context())
		require.NoError(t, err)
		assert.Zero(t, time.Since(begin))
		assert.Equal(t, libvirttest.Load{Client: 4, Daemon: 8}, w.d.Most())
		assert.Equal(t, 2, w.d.Clients())

		w.d.Hang("vm7", true)
		calls = append(calls, call(t, clients[7]))
		synctest.Wait()
		_, err = clients[8].QueryStatus(t.Context())
		assert.EqualError(t, err, "qmp: query-status: 8 commands to other domains have no answer yet: "+
			"context deadline exceeded: no answer within 1m0s: the command was not sent")
		assert.ErrorIs(t, err, qmp.ErrNotSent)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		for _, c := range calls {
			err := <-c
			assert.EqualError(t, err, "qmp: query-status: context deadline exceeded: no answer within 1m0s: the command was sent, its reply is abandoned")
			assert.ErrorIs(t, err, qmp.ErrAbandoned)
			assert.True(t, qmp.MayHaveRun(err))
		}
		_, err = clients[0].QueryStatus(t.Context())
		assert.ErrorContains(t, err, "an earlier command of this domain has no answer yet")
		assert.False(t, qmp.MayHaveRun(err))

		for i := range 8 {
			w.d.Hang(fmt.Sprint("vm", i), false)
		}
		synctest.Wait()
		for _, c := range clients {
			_, err := c.QueryStatus(t.Context())
			assert.NoError(t, err)
		}
		assert.Equal(t, libvirttest.Load{Client: 4, Daemon: 8}, w.d.Most())
	})
}

// When ctx ends, a call that waits for its turn returns at once, and is not sent.
func TestContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		c := w.dial(t, "vm0")
		w.d.Hang("vm0", true)
		first := call(t, c)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		err := c.Cont(ctx)
		assert.Equal(t, time.Second, time.Since(begin))
		assert.ErrorIs(t, err, qmp.ErrNotSent)
		w.d.Hang("vm0", false)
		require.NoError(t, <-first)
		assert.Zero(t, w.vms[0].Count("cont"))
	})
}

// Another client of libvirt has a command in flight: libvirt does not send ours.
func TestBusy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		other, err := libvirt.Dial(t.Context(), "qemu:///system", libvirt.WithDialer(w.d.Dial))
		require.NoError(t, err)
		defer other.Close()
		conn, err := qmp.DialFunc(t.Context(), other.QMP("vm0"))
		require.NoError(t, err)
		defer conn.Close()
		c := w.dial(t, "vm0")
		w.d.Hang("vm0", true)
		first := call(t, c)
		synctest.Wait()
		err = conn.Execute(t.Context(), "cont", nil, nil)
		assert.EqualError(t, err, "qmp: cont: libvirt says: Timed out during operation: cannot acquire state change lock (code 68): the command was not sent")
		assert.ErrorIs(t, err, qmp.ErrNotSent)
		e, ok := errors.AsType[*libvirt.Error](err)
		require.True(t, ok)
		assert.Equal(t, libvirt.CodeOperationTimeout, e.Code)
		_, err = conn.RoundTrip(t.Context(), []byte(`{"execute":"cont"}`))
		assert.ErrorIs(t, err, qmp.ErrNotSent)
		assert.Error(t, <-first)
		w.d.Hang("vm0", false)
		synctest.Wait()
		assert.Zero(t, w.vms[0].Count("cont"))
	})
}

// Guests whose agents do not answer take half of what may be in flight.
func TestHungAgents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		c := w.dial(t, "vm0")
		var resume []func()
		var agents []*qga.Client
		for i := range 5 {
			agent := qmptest.StartAgent(t)
			name := fmt.Sprint("guest", i)
			require.NoError(t, w.d.Run(name, qmptest.Start(t), agent))
			conn, err := qmp.DialAgentFunc(t.Context(), w.Agent(name))
			require.NoError(t, err)
			defer conn.Close()
			agents = append(agents, qga.NewClient(conn))
			hang := make(chan struct{})
			agent.Handle("guest-get-host-name", func(context.Context, *qmptest.Request) (any, error) {
				<-hang
				return qga.GuestHostName{HostName: "h"}, nil
			})
			resume = append(resume, func() { close(hang) })
		}
		var calls []<-chan error
		for i := range 5 {
			done := make(chan error, 1)
			calls = append(calls, done)
			go func() {
				_, err := agents[i].GuestGetHostName(t.Context())
				done <- err
			}()
			synctest.Wait()
		}
		begin := time.Now()
		_, err := c.QueryStatus(t.Context())
		require.NoError(t, err)
		assert.Zero(t, time.Since(begin))
		assert.Equal(t, 5, w.d.Most().Daemon) // four, and the QEMU's
		for i, done := range calls {
			err := <-done
			assert.ErrorIs(t, err, context.DeadlineExceeded)
			assert.Equal(t, i < 4, qmp.MayHaveRun(err), "%d: %v", i, err)
		}
		for _, f := range resume {
			f()
		}
		synctest.Wait()
	})
}

// A guest without an agent that answers, and one that is started later.
func TestNoAgent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 0)
		agent := qmptest.StartAgent(t)
		require.NoError(t, w.d.Run("vm", qmptest.Start(t), agent))
		conn, err := qmp.DialAgentFunc(t.Context(), w.Agent("vm"))
		require.NoError(t, err)
		defer conn.Close()
		c := qga.NewClient(conn)
		start := agent.StopAgent()
		err = c.GuestPing(t.Context())
		assert.ErrorIs(t, err, qmp.ErrNoAgent)
		assert.ErrorIs(t, err, qmp.ErrNotSent)
		_, err = qmp.DialAgentFunc(t.Context(), w.Agent("vm"))
		assert.ErrorIs(t, err, qmp.ErrNoAgent)
		start()
		require.NoError(t, c.GuestPing(t.Context()))
	})
}

// A libvirt that is gone without closing its connection is noticed, and calls continue on the next connection.
func TestKeepalive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		c := w.dial(t, "vm0", qmp.WithReconnect(qmp.Reconnect{}))
		time.Sleep(time.Hour) // pings are answered
		require.NoError(t, c.Conn().Err())
		w.d.Mute()
		begin := time.Now()
		_, err := c.QueryStatus(t.Context())
		assert.ErrorIs(t, err, qmp.ErrClosed)
		assert.ErrorContains(t, err, "libvirt has not answered for 25s")
		assert.True(t, qmp.MayHaveRun(err))
		assert.LessOrEqual(t, time.Since(begin), 30*time.Second)
		_, err = c.QueryStatus(t.Context())
		assert.NoError(t, err)
	})
}

// While libvirt is down it is dialled at intervals, and all domains share the attempts.
func TestDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var dials atomic.Int64
		var d *libvirttest.Daemon
		counting := libvirt.WithDialer(func(ctx context.Context) (io.ReadWriteCloser, error) {
			dials.Add(1)
			return d.Dial(ctx)
		})
		w := newWorld(t, 0)
		d = w.d
		h, err := libvirt.Dial(t.Context(), "qemu:///system", counting)
		require.NoError(t, err)
		defer h.Close()
		var clients []*qapi.Client
		for i := range 50 {
			name := fmt.Sprint("vm", i)
			require.NoError(t, d.Run(name, qmptest.Start(t), nil))
			conn, err := qmp.DialFunc(t.Context(), h.QMP(name), qmp.WithReconnect(qmp.Reconnect{}))
			require.NoError(t, err)
			defer conn.Close()
			clients = append(clients, qapi.NewClient(conn))
		}
		d.SetDown(true)
		d.Cut()
		time.Sleep(time.Minute)
		assert.Less(t, dials.Load(), int64(25))
		d.SetDown(false)
		for _, c := range clients {
			_, err := c.QueryStatus(t.Context())
			assert.NoError(t, err)
		}
	})
}

// Hosts of the same libvirt share what may be in flight.
func TestSharedGate(t *testing.T) {
	d := libvirttest.Start(t)
	uri, err := d.Listen(t.TempDir() + "/s")
	require.NoError(t, err)
	var hosts []*libvirt.Host
	for range 3 {
		h, err := libvirt.Dial(t.Context(), uri)
		require.NoError(t, err)
		defer h.Close()
		hosts = append(hosts, h)
	}
	var conns []*qmp.Conn
	for i := range 12 {
		name := fmt.Sprint("vm", i)
		require.NoError(t, d.Run(name, qmptest.Start(t), nil))
		conn, err := qmp.DialFunc(t.Context(), hosts[i%3].QMP(name))
		require.NoError(t, err)
		defer conn.Close()
		conns = append(conns, conn)
	}
	var wait sync.WaitGroup
	for i, conn := range conns {
		name := fmt.Sprint("vm", i)
		for range 20 {
			wait.Go(func() { assert.NoError(t, conn.Execute(t.Context(), "query-status", nil, nil), name) })
		}
	}
	wait.Wait()
	most := d.Most()
	assert.LessOrEqual(t, most.Daemon, 8)
	assert.LessOrEqual(t, most.Client, 4)
}

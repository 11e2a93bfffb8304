package libvirt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
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

// A world has a fake libvirt with the domains vm0, vm1 and so on, and a Host that is connected to it.
type world struct {
	*libvirt.Host
	d   *libvirttest.Daemon
	vms []*qmptest.Server
}

func newWorld(t *testing.T, domains int, opts ...libvirt.Option) *world {
	t.Helper()
	w := &world{d: libvirttest.Start(t)}
	for i := range domains {
		vm := qmptest.Start(t)
		require.NoError(t, w.d.Run(fmt.Sprint("vm", i), vm, nil))
		w.vms = append(w.vms, vm)
	}
	h, err := libvirt.Dial(t.Context(), "qemu:///system", append([]libvirt.Option{libvirt.WithDialer(w.d.Dial)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.Close()) })
	w.Host = h
	return w
}

// dial connects to a domain's QEMU.
func (w *world) dial(t *testing.T, name string, opts ...qmp.Option) *qapi.Client {
	t.Helper()
	conn, err := qmp.DialFunc(t.Context(), w.QMP(name), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

// bubble runs a test in a bubble, in which the Host is closed before the fake.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func TestDomains(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 3)
		require.NoError(t, w.dial(t, "vm1").Cont(t.Context()))
		w.d.Stop("vm2")
		list, err := w.Domains(t.Context())
		require.NoError(t, err)
		var got []string
		for _, d := range list {
			got = append(got, fmt.Sprint(d.Name, " ", d.ID, " ", d.State))
		}
		assert.Equal(t, []string{"vm0 1 running", "vm1 2 running", "vm2 -1 shut off"}, got)
		assert.Len(t, list[0].UUID, 36)
	})
}

func TestCallsAndEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2)
		c := w.dial(t, "vm0")
		assert.Equal(t, w.vms[0].Release(), fmt.Sprintf("%d.%d", c.Conn().Greeting().Version.Major, c.Conn().Greeting().Version.Minor))
		events := qapi.Subscribe[qapi.ResumeEvent](c)
		require.NoError(t, c.Cont(t.Context()))
		e, err := events.Next(t.Context())
		require.NoError(t, err)
		assert.False(t, e.Timestamp.IsZero())
		status, err := c.QueryStatus(t.Context())
		require.NoError(t, err)
		assert.Equal(t, qapi.RunStateRunning, status.Status)
		assert.Zero(t, w.vms[1].Count("cont"))

		err = c.Conn().Execute(t.Context(), "nonsense", nil, nil)
		assert.Equal(t, qmp.ClassCommandNotFound, qmp.ClassOf(err))
		assert.ErrorIs(t, c.Conn().With(qmp.OutOfBand()).Execute(t.Context(), "query-status", nil, nil), qmp.ErrNoOOB)
		answer, err := c.Conn().RoundTrip(t.Context(), []byte(`{"id": "mine", "execute": "query-status"}`))
		require.NoError(t, err)
		assert.Contains(t, string(answer), `"id": "mine"`)
		assert.Contains(t, string(answer), `"running"`)
	})
}

// An event that comes right after the greeting is not lost.
func TestFirstEvent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		for range 50 {
			c := w.dial(t, "vm0")
			events := qapi.Subscribe[qapi.ResumeEvent](c)
			require.NoError(t, c.Cont(t.Context()))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := events.Next(ctx)
			cancel()
			require.NoError(t, err)
			require.NoError(t, c.Stop(t.Context()))
			require.NoError(t, c.Close())
		}
	})
}

func TestNotRunning(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		w.d.Stop("vm0")
		_, err := qmp.DialFunc(t.Context(), w.QMP("vm0"))
		assert.EqualError(t, err, "libvirt: domain vm0: it is not running")
		_, err = qmp.DialFunc(t.Context(), w.QMP("other"))
		assert.EqualError(t, err, "libvirt: domain other: libvirt says: Domain not found: no domain with matching name 'other' (code 42)")
		e, ok := errors.AsType[*libvirt.Error](err)
		require.True(t, ok)
		assert.Equal(t, libvirt.CodeNoDomain, e.Code)
	})
}

// Streams end with their domain, even if the domain is started again at once.
func TestDomainEnds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		once := w.dial(t, "vm0")
		again := w.dial(t, "vm0", qmp.WithReconnect(qmp.Reconnect{}))
		events := qapi.Subscribe[qapi.ResumeEvent](again)
		w.d.Stop("vm0")
		next := qmptest.Start(t)
		require.NoError(t, w.d.Run("vm0", next, nil))
		synctest.Wait()
		require.ErrorIs(t, once.Conn().Err(), qmp.ErrClosed)
		require.ErrorIs(t, once.Conn().Err(), io.EOF)
		require.NoError(t, again.Cont(t.Context()))
		assert.Equal(t, 1, next.Count("cont"))
		_, err := events.Next(t.Context())
		gap, ok := errors.AsType[*qmp.GapError](err)
		require.True(t, ok, "%v", err)
		assert.ErrorIs(t, gap, io.EOF)
		_, err = events.Next(t.Context())
		assert.NoError(t, err)
	})
}

// A command whose connection is lost may be executed later, once, also after commands of the next connection.
func TestLostCallRunsLater(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		c := w.dial(t, "vm0", qmp.WithReconnect(qmp.Reconnect{}))
		w.d.Hang("vm0", true)
		lost := make(chan error, 1)
		go func() { lost <- c.Cont(t.Context()) }()
		synctest.Wait()
		w.d.Cut()
		err := <-lost
		assert.ErrorIs(t, err, qmp.ErrClosed)
		assert.NotErrorIs(t, err, qmp.ErrNotSent)
		assert.True(t, qmp.MayHaveRun(err))
		assert.Zero(t, w.vms[0].Count("cont"))
		w.d.Hang("vm0", false)
		_, err = c.QueryStatus(t.Context())
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, 1, w.vms[0].Count("cont"))
	})
}

func TestEventsOfAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 2)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		events := w.Events(ctx)
		require.NoError(t, w.dial(t, "vm1").Cont(t.Context()))
		w.d.Stop("vm0")
		synctest.Wait()
		w.d.Cut()
		synctest.Wait()
		time.Sleep(time.Second) // of the bubble: the connection is made again
		require.NoError(t, w.d.Run("vm2", qmptest.Start(t), nil))
		synctest.Wait()
		var got []string
		var last error
		for e, err := range events {
			last = err
			_, gap := errors.AsType[*qmp.GapError](err)
			switch {
			case gap:
				got = append(got, "gap")
			case err != nil:
				got = append(got, "end")
			default:
				got = append(got, e.Domain.Name+" "+e.QMP.Name+string(e.Lifecycle))
			}
			if e.Domain.Name == "vm2" {
				cancel()
			}
		}
		assert.Equal(t, []string{"vm1 RESUME", "vm1 resumed", "vm0 stopped", "gap", "vm2 started", "end"}, got)
		assert.ErrorIs(t, last, context.Canceled)
	})
}

func TestEventsOverflow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1, libvirt.WithEventBuffer(2))
		c := w.dial(t, "vm0")
		events := w.Events(t.Context())
		for range 3 {
			require.NoError(t, c.Cont(t.Context()))
			require.NoError(t, c.Stop(t.Context()))
		}
		synctest.Wait()
		var got []string
		for e, err := range events {
			if err != nil {
				got = append(got, err.Error())
				continue
			}
			if got = append(got, e.QMP.Name+string(e.Lifecycle)); len(got) == 3 {
				break
			}
		}
		assert.Equal(t, []string{(&qmp.OverflowError{Lost: 10}).Error(), "STOP", "paused"}, got)
	})
}

// The streams of QMP and Agent also work with NewConn and NewAgentConn.
func TestStreams(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 0)
		require.NoError(t, w.d.Run("vm", qmptest.Start(t), qmptest.StartAgent(t)))
		rw, err := w.QMP("vm")(t.Context())
		require.NoError(t, err)
		conn, err := qmp.NewConn(t.Context(), rw)
		require.NoError(t, err)
		assert.NoError(t, conn.Execute(t.Context(), "query-status", nil, nil))
		assert.NoError(t, conn.Close())
		rw, err = w.Agent("vm")(t.Context())
		require.NoError(t, err)
		conn, err = qmp.NewAgentConn(t.Context(), rw)
		require.NoError(t, err)
		assert.NoError(t, qga.NewClient(conn).GuestPing(t.Context()))
		assert.NoError(t, conn.Close())
	})
}

func TestAgent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		agent := qmptest.StartAgent(t)
		require.NoError(t, w.d.Run("vm1", qmptest.Start(t), agent))
		conn, err := qmp.DialAgentFunc(t.Context(), w.Agent("vm1"))
		require.NoError(t, err)
		defer conn.Close()
		c := qga.NewClient(conn)
		require.NoError(t, c.GuestPing(t.Context()))
		_, err = c.GuestFsfreezeFreeze(t.Context())
		require.NoError(t, err)
		_, err = c.GuestFsfreezeFreeze(t.Context())
		assert.Equal(t, qmp.ClassGenericError, qmp.ClassOf(err), "%v", err)

		err = conn.Execute(t.Context(), "guest-sync", nil, nil)
		assert.Equal(t, qmp.ClassGenericError, qmp.ClassOf(err), "%v", err)
		assert.ErrorContains(t, err, "the argument id is missing")
		require.NoError(t, c.GuestPing(t.Context()))

		_, err = qmp.DialAgentFunc(t.Context(), w.Agent("vm0"), qmp.WithHandshakeTimeout(2*time.Second))
		assert.EqualError(t, err, "qmp: synchronise with the guest agent: qmp: guest-sync-delimited: libvirt says: argument unsupported: "+
			"QEMU guest agent is not configured (code 74): the command was not sent")
		e, ok := errors.AsType[*libvirt.Error](err)
		require.True(t, ok)
		assert.Equal(t, libvirt.CodeUnsupported, e.Code)

		agent.StopAgent()
		err = c.GuestPing(t.Context())
		assert.Error(t, err)
	})
}

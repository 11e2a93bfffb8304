package libvirt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
)

// newest returns the newest QEMU.
func newest(t *testing.T) qemutest.QEMU {
	t.Helper()
	list := qemutest.QEMUs(t)
	return list[len(list)-1]
}

func dialReal(t *testing.T, l *qemutest.Libvirtd, opts ...libvirt.Option) *libvirt.Host {
	t.Helper()
	h, err := libvirt.Dial(t.Context(), l.URI(), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.Close()) })
	return h
}

func dialDomain(t *testing.T, h *libvirt.Host, name string, opts ...qmp.Option) *qapi.Client {
	t.Helper()
	conn, err := qmp.DialFunc(t.Context(), h.QMP(name), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	return qapi.NewClient(conn)
}

// A file reaches QEMU, and each release answers.
func TestLibvirtFiles(t *testing.T) {
	l := qemutest.StartLibvirtd(t)
	h := dialReal(t, l)
	for _, q := range qemutest.LibvirtQEMUs(t) {
		t.Run(q.Release, func(t *testing.T) {
			name := "files" + q.Release
			l.Create(t, q, name)
			c := dialDomain(t, h, name)
			dir, err := filepath.EvalSymlinks(t.TempDir())
			require.NoError(t, err)
			f, err := os.Create(filepath.Join(dir, "passed"))
			require.NoError(t, err)
			defer f.Close()
			var set struct {
				FD int `json:"fd"`
			}
			require.NoError(t, c.Conn().With(qmp.Files(f)).Execute(t.Context(), "add-fd", nil, &set))
			got, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", l.PID(t, name), set.FD))
			require.NoError(t, err)
			assert.Equal(t, f.Name(), got)
			err = c.Conn().With(qmp.Files(f, f)).Execute(t.Context(), "add-fd", nil, nil)
			assert.ErrorIs(t, err, qmp.ErrNotSent)
		})
	}
}

// The sockets of a real libvirtd and of a real virtqemud are found by their usual names.
func TestLibvirtSocketIsFound(t *testing.T) {
	for name, start := range map[string]func(testing.TB) *qemutest.Libvirtd{
		"libvirtd":  func(t testing.TB) *qemutest.Libvirtd { return qemutest.StartLibvirtd(t) },
		"virtqemud": qemutest.StartVirtqemud,
	} {
		t.Run(name, func(t *testing.T) {
			l := start(t)
			t.Setenv("XDG_RUNTIME_DIR", filepath.Join(l.Dir(), "run"))
			h, err := libvirt.Dial(t.Context(), "qemu:///session")
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, h.Close()) })
			l.Create(t, newest(t), "vm")
			_, err = dialDomain(t, h, "vm").QueryStatus(t.Context())
			assert.NoError(t, err)
		})
	}
}

// A QEMU that is stopped does not delay calls of others, and its own calls end in time.
func TestLibvirtStopped(t *testing.T) {
	l := qemutest.StartLibvirtd(t)
	h := dialReal(t, l, libvirt.WithCallTimeout(10*time.Second)) // the others answer sooner, also on a busy machine
	l.Create(t, newest(t), "stuck")
	l.Create(t, newest(t), "well")
	stuck, well := dialDomain(t, h, "stuck"), dialDomain(t, h, "well")
	require.NoError(t, syscall.Kill(l.PID(t, "stuck"), syscall.SIGSTOP))
	first := make(chan error, 1)
	go func() {
		_, err := stuck.QueryStatus(t.Context())
		first <- err
	}()
	var slowest time.Duration
	for range 50 {
		begin := time.Now()
		_, err := well.QueryStatus(t.Context())
		require.NoError(t, err)
		slowest = max(slowest, time.Since(begin))
	}
	t.Logf("the slowest answer while another QEMU was stopped took %v", slowest)
	err := <-first
	assert.ErrorIs(t, err, qmp.ErrAbandoned)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	_, err = stuck.QueryStatus(t.Context())
	assert.ErrorIs(t, err, qmp.ErrNotSent)
	require.NoError(t, syscall.Kill(l.PID(t, "stuck"), syscall.SIGCONT))
	require.Eventually(t, func() bool {
		_, err := stuck.QueryStatus(t.Context())
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
}

// libvirtd is killed and started while calls are made: calls continue, and none is executed twice.
func TestLibvirtRestart(t *testing.T) {
	l := qemutest.StartLibvirtd(t)
	h := dialReal(t, l)
	l.Create(t, newest(t), "vm")
	c := dialDomain(t, h, "vm", qmp.WithReconnect(qmp.Reconnect{}))
	events := qapi.Subscribe[qapi.ResumeEvent](c)
	all := h.Events(t.Context())
	failed := map[string]bool{} // whether QEMU may have executed it, by the object's id
	var n atomic.Int64
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-over:
				return
			default:
			}
			id := fmt.Sprint("t", n.Load())
			err := c.ObjectAdd(t.Context(), qapi.ObjectOptions{ID: id, QOMType: qapi.ObjectOptionsIothread{}})
			_, refused := errors.AsType[*qmp.Error](err)
			assert.False(t, refused, "%v", err) // as the second of two would be
			if err != nil {
				failed[id] = qmp.MayHaveRun(err)
			}
			n.Add(1)
		}
	}()
	const restarts = 5
	for range restarts {
		for before := n.Load(); n.Load() < before+10; {
			time.Sleep(time.Millisecond)
		}
		l.Kill(t)
		l.Start(t)
	}
	close(over)
	<-done
	objects, err := c.QOMList(t.Context(), qapi.QOMListArgs{Path: "/objects"})
	require.NoError(t, err)
	there := map[string]bool{}
	for _, o := range objects {
		there[o.Name] = true
	}
	for i := range n.Load() {
		id := fmt.Sprint("t", i)
		if may, not := failed[id]; !not || !may {
			assert.Equal(t, !not, there[id], id)
		}
	}
	t.Logf("%d of %d calls failed", len(failed), n.Load())
	require.NoError(t, c.Cont(t.Context()))
	_, err = events.Next(t.Context())
	assert.ErrorAs(t, err, new(*qmp.GapError))
	gaps := 0
	for e, err := range all {
		if _, gap := errors.AsType[*qmp.GapError](err); gap {
			gaps++
		}
		if e.QMP.Name == "RESUME" {
			break
		}
	}
	assert.Equal(t, restarts, gaps)
}

// A domain is destroyed and started again: calls continue with its next QEMU, and the events have a gap.
func TestLibvirtDomainIsStartedAgain(t *testing.T) {
	l := qemutest.StartLibvirtd(t)
	h := dialReal(t, l)
	l.Create(t, newest(t), "vm")
	once := dialDomain(t, h, "vm")
	again := dialDomain(t, h, "vm", qmp.WithReconnect(qmp.Reconnect{}))
	events := qapi.Subscribe[qapi.ResumeEvent](again)
	for range 3 {
		l.Virsh(t, "destroy", "vm")
		l.Create(t, newest(t), "vm")
		_, err := events.Next(t.Context())
		require.ErrorAs(t, err, new(*qmp.GapError))
		require.NoError(t, again.Cont(t.Context()))
		_, err = events.Next(t.Context())
		require.NoError(t, err)
	}
	assert.ErrorIs(t, once.Conn().Err(), qmp.ErrClosed)
	assert.ErrorIs(t, once.Cont(t.Context()), qmp.ErrNotSent)
}

func TestLibvirtTwentyDomains(t *testing.T) {
	l := qemutest.StartLibvirtd(t)
	h := dialReal(t, l)
	q := newest(t)
	var wait sync.WaitGroup
	for i := range 20 {
		l.Create(t, q, fmt.Sprint("vm", i))
	}
	events := h.Events(t.Context())
	for i := range 20 {
		c := dialDomain(t, h, fmt.Sprint("vm", i))
		wait.Go(func() {
			own := qapi.Subscribe[qapi.ResumeEvent](c)
			for range 5 {
				assert.NoError(t, c.Cont(t.Context()))
				_, err := own.Next(t.Context())
				assert.NoError(t, err)
				assert.NoError(t, c.Stop(t.Context()))
			}
		})
	}
	wait.Wait()
	domains, err := h.Domains(t.Context())
	require.NoError(t, err)
	assert.Len(t, domains, 20)
	n := map[string]int{}
	total := 0
	for e, err := range events {
		require.NoError(t, err)
		if e.QMP.Name == "RESUME" || e.QMP.Name == "STOP" {
			n[e.Domain.Name]++
			total++
		}
		if total == 200 {
			break
		}
	}
	for name, got := range n {
		assert.Equal(t, 10, got, name)
	}
	text, _ := json.Marshal(n)
	t.Logf("%s", text)
}

// By ssh, through a real sshd: calls and events, and a connection that is lost.
func TestLibvirtSSH(t *testing.T) {
	l := qemutest.StartLibvirtd(t)
	// libvirt's own helper looks for root's sockets in the system's folder only: a script takes its place.
	bin := t.TempDir()
	self, err := os.Executable()
	require.NoError(t, err)
	helper := fmt.Sprintf("#!/bin/sh\ntest \"$*\" = qemu:///session && exec %s -U %s\n", self, l.Socket())
	require.NoError(t, os.WriteFile(filepath.Join(bin, "virt-ssh-helper"), []byte(helper), 0o700))
	s := qemutest.StartSSHD(t, "PATH="+bin+":"+os.Getenv("PATH"))
	l.Create(t, newest(t), "vm")
	for _, proxy := range []string{"native", "netcat", "auto"} {
		t.Run(proxy, func(t *testing.T) {
			h, err := libvirt.Dial(t.Context(), s.SSHURI(t, l, proxy))
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, h.Close()) })
			c := dialDomain(t, h, "vm", qmp.WithReconnect(qmp.Reconnect{}))
			events := qapi.Subscribe[qapi.ResumeEvent](c)
			require.NoError(t, c.Cont(t.Context()))
			_, err = events.Next(t.Context())
			require.NoError(t, err)
			s.Cut()
			_, err = events.Next(t.Context())
			require.ErrorAs(t, err, new(*qmp.GapError))
			require.NoError(t, c.Stop(t.Context()))
			f, err := os.Open(os.DevNull)
			require.NoError(t, err)
			defer f.Close()
			err = c.Conn().With(qmp.Files(f)).Execute(t.Context(), "add-fd", nil, nil)
			assert.ErrorIs(t, err, qmp.ErrNoFiles)
			assert.ErrorIs(t, err, qmp.ErrNotSent)
		})
	}
	_, err = libvirt.Dial(t.Context(), s.SSHURI(t, l, "native")+"&no_verify=0x")
	assert.ErrorContains(t, err, "no_verify")
	_, err = libvirt.Dial(t.Context(), "qemu+ssh://127.0.0.1:1/system")
	assert.ErrorContains(t, err, "Connection refused")
}

// TestMain makes a netcat of the test's program, for hosts that have none.
func TestMain(m *testing.M) {
	qemutest.Netcat()
	os.Exit(m.Run())
}

package main

import (
	"fmt"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/internal/virrpc"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

// bareRPC is a plain loop of calls to libvirt, with which a typed call is compared.
func bareRPC(b *testing.B, socket, domain string) side {
	b.Helper()
	conn, err := net.Dial("unix", socket)
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	call := func(program uint32, procedure int32, args func(e *virrpc.Encoder)) ([]byte, error) {
		var e virrpc.Encoder
		args(&e)
		p := virrpc.Packet{Header: virrpc.Header{Program: program, Version: 1, Procedure: procedure}, Body: e.Buf}
		if _, err := conn.Write(p.Append(nil)); err != nil {
			return nil, err
		}
		reply, err := virrpc.Read(conn)
		if err == nil && reply.Status != virrpc.OK {
			err = fmt.Errorf("procedure %d failed", procedure)
		}
		return reply.Body, err
	}
	_, err = call(virrpc.Remote, virrpc.AuthList, func(*virrpc.Encoder) {})
	require.NoError(b, err)
	_, err = call(virrpc.Remote, virrpc.ConnectOpen, func(e *virrpc.Encoder) {
		e.Optional(true)
		e.String("qemu:///session")
		e.Uint(0)
	})
	require.NoError(b, err)
	found, err := call(virrpc.Remote, virrpc.DomainLookupByName, func(e *virrpc.Encoder) { e.String(domain) })
	require.NoError(b, err)
	is := (&virrpc.Decoder{Buf: found}).Domain()
	return calls(b, "bare", 1, func() error {
		_, err := call(virrpc.QEMU, virrpc.MonitorCommand, func(e *virrpc.Encoder) {
			e.Domain(is)
			e.String(statusRequest)
			e.Uint(0)
		})
		return err
	})
}

// through is a typed call through libvirt.
func through(b *testing.B, name, uri string, callers int) side {
	b.Helper()
	h, err := libvirt.Dial(b.Context(), uri)
	require.NoError(b, err)
	b.Cleanup(func() { h.Close() })
	conn, err := qmp.DialFunc(b.Context(), h.QMP("vm"))
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	return typed(b, name, qapi.NewClient(conn), callers)
}

// BenchmarkLibvirt compares a typed call through libvirt with a plain call to libvirt, with a typed call
// through ssh and libvirt, and with a typed call on QEMU's own socket.
func BenchmarkLibvirt(b *testing.B) {
	list := qemutest.QEMUs(b)
	q := list[len(list)-1]
	l := qemutest.StartLibvirtd(b)
	s := qemutest.StartSSHD(b)
	l.Create(b, q, "vm")
	for _, callers := range []int{1, 8} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			compare(b, 80, []side{
				typed(b, "direct", connect(b, q.Start(b, "-qmp")), callers),
				through(b, "typed", l.URI(), callers),
				through(b, "ssh", s.SSHURI(b, l, "netcat"), callers),
				bareRPC(b, l.Socket(), "vm"), // by one caller
			}, "typed/bare", "typed/direct", "ssh/direct")
		})
	}
}

// BenchmarkLibvirtStopped measures how long the slowest call takes while another domain's QEMU is stopped and
// does not answer its call.
func BenchmarkLibvirtStopped(b *testing.B) {
	list := qemutest.QEMUs(b)
	q := list[len(list)-1]
	l := qemutest.StartLibvirtd(b)
	l.Create(b, q, "stopped")
	l.Create(b, q, "vm")
	h, err := libvirt.Dial(b.Context(), l.URI(), libvirt.WithCallTimeout(0))
	require.NoError(b, err)
	defer h.Close()
	stopped, err := qmp.DialFunc(b.Context(), h.QMP("stopped"))
	require.NoError(b, err)
	conn, err := qmp.DialFunc(b.Context(), h.QMP("vm"))
	require.NoError(b, err)
	require.NoError(b, syscall.Kill(l.PID(b, "stopped"), syscall.SIGSTOP))
	done := make(chan error, 1)
	go func() { done <- stopped.Execute(b.Context(), "query-status", nil, nil) }()
	c, slowest := qapi.NewClient(conn), time.Duration(0)
	for b.Loop() {
		begin := time.Now()
		_, err := c.QueryStatus(b.Context())
		require.NoError(b, err)
		slowest = max(slowest, time.Since(begin))
	}
	b.ReportMetric(float64(slowest), "slowest-ns")
	require.NoError(b, syscall.Kill(l.PID(b, "stopped"), syscall.SIGCONT))
	require.NoError(b, <-done)
}

// BenchmarkLibvirtIdle measures what an idle connection to a domain costs.
func BenchmarkLibvirtIdle(b *testing.B) {
	const domains = 500
	d := libvirttest.New()
	defer d.Close()
	for i := range domains {
		vm := qmptest.New()
		defer vm.Close()
		require.NoError(b, d.Run(fmt.Sprint("vm", i), vm, nil))
	}
	h, err := libvirt.Dial(b.Context(), "qemu:///system", libvirt.WithDialer(d.Dial))
	require.NoError(b, err)
	defer h.Close()
	for range b.N { // the servers' memory grows the first time
		m, g := memory(), runtime.NumGoroutine()
		conns := make([]*qmp.Conn, domains)
		for i := range conns {
			conns[i], err = qmp.DialFunc(b.Context(), h.QMP(fmt.Sprint("vm", i)))
			require.NoError(b, err)
		}
		b.ReportMetric((memory()-m)/domains, "B/conn")
		b.ReportMetric(float64(runtime.NumGoroutine()-g)/domains, "goroutines/conn")
		for _, conn := range conns {
			conn.Close()
		}
	}
	b.ReportMetric(0, "ns/op")
}

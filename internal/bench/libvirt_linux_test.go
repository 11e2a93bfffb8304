package main

import (
	"context"
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

// rpc calls a procedure on a bare connection to libvirt.
func rpc(b *testing.B, conn net.Conn, p virrpc.Packet) []byte {
	p.Version = 1
	if _, err := conn.Write(p.Append(nil)); err != nil {
		b.Fatal(err)
	}
	reply, err := virrpc.Read(conn)
	if err != nil || reply.Status != virrpc.OK {
		b.Fatal(err, reply)
	}
	return reply.Body
}

// bareRPC is the loop of calls of libvirt with which a typed call is compared.
func bareRPC(b *testing.B, socket, domain string) side {
	b.Helper()
	conn, err := net.Dial("unix", socket)
	require.NoError(b, err)
	b.Cleanup(func() { conn.Close() })
	call := func(program uint32, procedure int32, args func(e *virrpc.Encoder)) []byte {
		var e virrpc.Encoder
		args(&e)
		return rpc(b, conn, virrpc.Packet{Header: virrpc.Header{Program: program, Procedure: procedure}, Body: e.Buf})
	}
	call(virrpc.Remote, virrpc.AuthList, func(*virrpc.Encoder) {})
	call(virrpc.Remote, virrpc.ConnectOpen, func(e *virrpc.Encoder) {
		e.Optional(true)
		e.String("qemu:///session")
		e.Uint(0)
	})
	d := virrpc.Decoder{Buf: call(virrpc.Remote, virrpc.DomainLookupByName, func(e *virrpc.Encoder) { e.String(domain) })}
	is := d.Domain()
	return side{"bare", func(n int) time.Duration {
		begin := time.Now()
		for range n {
			call(virrpc.QEMU, virrpc.MonitorCommand, func(e *virrpc.Encoder) {
				e.Domain(is)
				e.String(statusRequest)
				e.Uint(0)
			})
		}
		return time.Since(begin)
	}}
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
	s := typed(b, qapi.NewClient(conn), callers)
	s.name = name
	return s
}

// BenchmarkLibvirt compares a call through libvirt with a bare call of it, with one by ssh,
// and with one on a socket of QEMU's own.
func BenchmarkLibvirt(b *testing.B) {
	list := qemutest.QEMUs(b)
	q := list[len(list)-1]
	l := qemutest.StartLibvirtd(b)
	s := qemutest.StartSSHD(b)
	l.Create(b, q, "vm")
	for _, callers := range []int{1, 8} {
		b.Run(fmt.Sprint("callers=", callers), func(b *testing.B) {
			direct := typed(b, connect(b, q.Start(b, "-qmp")), callers)
			direct.name = "direct"
			sides := []side{
				direct, through(b, "typed", l.URI(), callers), through(b, "ssh", s.SSHURI(b, l, "netcat"), callers),
				bareRPC(b, l.Socket(), "vm"), // by one caller
			}
			times := compare(b, 80, sides...)
			b.ReportMetric(times.ratio(1, 3), "typed/bare")
			b.ReportMetric(times.ratio(1, 0), "typed/direct")
			b.ReportMetric(times.ratio(2, 0), "ssh/direct")
		})
	}
}

// BenchmarkLibvirtStopped measures how long a call takes at most while another domain's QEMU is stopped, and
// has a call in flight.
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

// BenchmarkLibvirtIdle measures what the connection to a domain costs that does nothing.
func BenchmarkLibvirtIdle(b *testing.B) {
	const domains = 500
	ctx := context.Background()
	d := libvirttest.New()
	defer d.Close()
	for i := range domains {
		vm := qmptest.New()
		defer vm.Close()
		require.NoError(b, d.Run(fmt.Sprint("vm", i), vm, nil))
	}
	for range b.N {
		h, err := libvirt.Dial(ctx, "qemu:///system", libvirt.WithDialer(d.Dial))
		require.NoError(b, err)
		m0, g0 := memory(), runtime.NumGoroutine()
		var conns []*qmp.Conn
		for i := range domains {
			conn, err := qmp.DialFunc(ctx, h.QMP(fmt.Sprint("vm", i)))
			require.NoError(b, err)
			conns = append(conns, conn)
		}
		m1, g1 := memory(), runtime.NumGoroutine()
		b.ReportMetric((m1-m0)/domains, "B/domain")
		b.ReportMetric(float64(g1-g0)/domains, "goroutines/domain")
		for _, conn := range conns {
			conn.Close()
		}
		require.NoError(b, h.Close())
	}
	b.ReportMetric(0, "ns/op")
}

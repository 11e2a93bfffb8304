//go:build linux

package main

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A countingConn counts what is written to it.
type countingConn struct {
	net.Conn
	bytes atomic.Int64
}

func (c *countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

// BenchmarkBytes compares the size of requests with the shortest JSON that says
// the same: one at a time, and with eight on their way, each with an id of one digit.
func BenchmarkBytes(b *testing.B) {
	const id = `,"id":1`
	for _, call := range []struct {
		name, shortest string
		do             func(context.Context, *qapi.Client) error
	}{
		{"query-status", statusRequest, func(ctx context.Context, c *qapi.Client) error {
			_, err := c.QueryStatus(ctx)
			return err
		}},
		{
			"device_del", `{"execute":"device_del","arguments":{"id":"nic0"}}`,
			func(ctx context.Context, c *qapi.Client) error {
				return c.DeviceDel(ctx, qapi.DeviceDelArgs{ID: "nic0"})
			},
		},
		{
			"blockdev-add", `{"execute":"blockdev-add","arguments":{"driver":"qcow2","node-name":"disk0",` +
				`"read-only":false,"file":{"driver":"file","filename":"/vm/<1>&ü.qcow2"}}}`,
			func(ctx context.Context, c *qapi.Client) error {
				return c.BlockdevAdd(ctx, qapi.BlockdevOptions{
					NodeName: new("disk0"), ReadOnly: new(false),
					Driver: qapi.BlockdevOptionsQcow2{
						File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "/vm/<1>&ü.qcow2"}},
					},
				})
			},
		},
	} {
		for _, way := range []struct {
			name     string
			callers  int
			shortest int
		}{
			{"alone", 1, len(call.shortest)},
			{"pipelined", 8, len(call.shortest) + len(id)},
		} {
			b.Run(call.name+"/"+way.name, func(b *testing.B) {
				srv := qmptest.Start(b)
				srv.Reply("query-status", qapi.StatusInfo{Status: qapi.RunStateRunning, Running: true})
				srv.Reply("device_del")
				srv.Reply("blockdev-add")
				conn := &countingConn{Conn: srv.Pipe()}
				c := connect(b, conn)
				before := conn.bytes.Load()
				var wg sync.WaitGroup
				for range way.callers {
					wg.Go(func() {
						for range b.N {
							if err := call.do(b.Context(), c); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				each := float64(conn.bytes.Load()-before) / float64(b.N*way.callers)
				require.Len(b, srv.Calls(), b.N*way.callers)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(each, "B/request")
				b.ReportMetric(each/float64(way.shortest), "bytes/shortest")
			})
		}
	}
}

//go:build linux

package main

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// BenchmarkEvents sends a flood of events, and ends when each handler has been given
// the last one. They are numbered: what is lost or out of order fails it.
func BenchmarkEvents(b *testing.B) {
	for _, handlers := range []int{1, 10} {
		b.Run(fmt.Sprintf("handlers=%d", handlers), func(b *testing.B) {
			l := listen(b)
			server := make(chan error, 1)
			begin := make(chan struct{})
			go func() { server <- flood(l, begin, b.N) }()
			wrong := func(err error) { b.Error(err) }
			c, err := qapi.Dial(b.Context(), "unix:"+l.Addr().String(), qmp.WithEventBuffer(b.N), qmp.WithEventError(wrong))
			require.NoError(b, err)
			defer c.Close()
			done := make(chan struct{}, handlers)
			for range handlers {
				n := 0
				c.OnBalloonChange(func(e qapi.BalloonChangeEvent) {
					if int(e.Actual) != n {
						b.Errorf("event %d comes as number %d", e.Actual, n)
					}
					if n++; n == b.N {
						done <- struct{}{}
					}
				})
			}
			b.ReportAllocs()
			b.ResetTimer()
			close(begin)
			for range handlers {
				select {
				case <-done:
				case <-time.After(time.Minute):
					b.Fatal("events are lost")
				}
			}
			b.StopTimer()
			c.Close()
			require.NoError(b, <-server)
			b.ReportMetric(float64(handlers*b.N)/b.Elapsed().Seconds(), "handled/s")
		})
	}
}

// flood waits for a client, and sends it n events when it may.
func flood(l net.Listener, begin <-chan struct{}, n int) error {
	conn, err := accept(l)
	if err != nil {
		return err
	}
	defer conn.Close()
	<-begin
	var text []byte
	for i := range n {
		text = append(text, `{"timestamp": {"seconds": 1267020223, "microseconds": 435656}, "event": "BALLOON_CHANGE", "data": {"actual": `...)
		text = strconv.AppendInt(text, int64(i), 10)
		text = append(text, "}}\r\n"...)
		if i%100 == 99 || i == n-1 {
			if _, err := conn.Write(text); err != nil {
				return err
			}
			text = text[:0]
		}
	}
	_, err = conn.Read(make([]byte, 1)) // until the client has read them
	if err == io.EOF {
		return nil
	}
	return err
}

const greeting = `{"QMP": {"version": {"qemu": {"micro": 0, "minor": 1, "major": 11}, "package": ""}, "capabilities": []}}` + "\r\n"

// accept waits for a client and negotiates with it.
func accept(l net.Listener) (net.Conn, error) {
	conn, err := l.Accept()
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(conn, greeting)
	request, n := make([]byte, 100), 0
	if err == nil {
		n, err = conn.Read(request)
	}
	if err == nil {
		_, err = conn.Write(wiretest.WithID([]byte("{\"return\": {}}\r\n"), request[:n]))
	}
	return conn, err
}

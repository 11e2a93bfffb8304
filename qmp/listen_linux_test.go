package qmp

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// A QEMU connects to us, and connects again each time that we close the connection.
func TestQEMUListen(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		again := "reconnect-ms=100"
		if strings.HasPrefix(q.Release, "5.") || strings.HasPrefix(q.Release, "7.") {
			again = "reconnect=1"
		}
		for _, addr := range []string{"unix:" + t.TempDir() + "/q,,m,server=off", "tcp:[::1]:0"} {
			l, err := Listen(ctx, addr)
			require.NoError(t, err)
			defer l.Close()
			where := strings.Replace(l.Addr(), "unix:", "path=", 1)
			where = strings.Replace(where, "tcp:[::1]:", "host=::1,port=", 1)
			p, err := Start(ctx, stdioQEMU(q,
				"-chardev", "socket,id=mon0,server=off,"+again+","+where, "-mon", "chardev=mon0,mode=control"))
			require.NoError(t, err)
			defer p.Conn.Close()
			for range 2 {
				c, err := l.Accept(ctx)
				require.NoError(t, err)
				assert.NoError(t, c.Execute(ctx, "query-status", nil, nil))
				c.Close()
			}
			// The same with WithReconnect, whose connection outlives each connection of the server.
			restored := make(chan struct{}, 10)
			c, err := DialFunc(ctx, l.AcceptStream, WithReconnect(Reconnect{
				OnReconnect: func(*Conn) { restored <- struct{}{} },
			}))
			require.NoError(t, err)
			defer c.Close()
			for range 2 {
				c.current().rw.Close()
				<-restored
				assert.NoError(t, c.Execute(ctx, "query-status", nil, nil))
			}
		}
	})
}

// -qmp takes what Addr says, and connects once.
func TestQEMUListenOnce(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for _, addr := range []string{UnixAddr(t.TempDir() + "/q,=m"), "tcp::0", "tcp:127.0.0.1:0,ipv4=on"} {
			l, err := Listen(ctx, addr)
			require.NoError(t, err)
			cmd := exec.Command(q.Path, "-S", "-nodefaults", "-display", "none", "-machine", "none", "-qmp", l.Addr())
			said := new(strings.Builder)
			cmd.Stdout, cmd.Stderr = said, said
			require.NoError(t, cmd.Start())
			ended := async(func() error {
				defer l.Close() // if it has not connected, it never will
				return cmd.Wait()
			})
			c, err := l.Accept(ctx)
			if err != nil {
				require.NoError(t, errors.Join(err, <-ended), "%s: %s", l.Addr(), said)
			}
			assert.NoError(t, c.Execute(ctx, "quit", nil, nil))
			<-c.Done()
			assert.NoError(t, <-ended, "%s", said)
		}
	})
}

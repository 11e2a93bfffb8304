//go:build unix

package qmp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/deadline"
)

// The address is read before anything else is done.
func TestBadAddress(t *testing.T) {
	const addr = "unix:/run/x.sock,abstarct=on"
	want := `address "` + addr + `": unknown option "abstarct"; is "abstract" meant?`
	_, err := Dial(t.Context(), addr)
	assert.EqualError(t, err, "qmp: "+want)
	_, err = Listen(t.Context(), addr)
	assert.EqualError(t, err, "qmp: listen: "+want)
}

// serveOne plays a server on a stream: the handshake, and one command.
func serveOne(t *testing.T, rw interface {
	Read([]byte) (int, error)
	Write([]byte) (int, error)
	Close() error
}) {
	p := newPeer(t, rw)
	p.handshake()
	p.answer(p.expect(`{"execute":"ping"}`), `"pong"`)
}

// ping is the client's part.
func ping(t *testing.T, addr string) {
	t.Helper()
	c, err := Dial(t.Context(), addr)
	require.NoError(t, err)
	defer c.Close()
	var got string
	assert.NoError(t, c.Execute(t.Context(), "ping", nil, &got), addr)
	assert.Equal(t, "pong", got, addr)
}

func TestDial(t *testing.T) {
	listen := func(network, addr string) net.Listener {
		l, err := net.Listen(network, addr)
		if err != nil {
			t.Skipf("cannot listen on %s %s: %v", network, addr, err)
		}
		t.Cleanup(func() { l.Close() })
		go func() {
			c, err := l.Accept()
			if err == nil {
				serveOne(t, c)
			}
		}()
		return l
	}
	t.Run("unix", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "x,y.sock")
		listen("unix", path)
		ping(t, "unix:"+strings.ReplaceAll(path, ",", ",,")+",server=on,wait=off")
	})
	t.Run("abstract", func(t *testing.T) {
		if runtime.GOOS != "linux" {
			t.Skip("only Linux has abstract sockets")
		}
		name := fmt.Sprintf("goqapi-test-%d", os.Getpid())
		listen("unix", "@"+name)
		ping(t, "unix:"+name+",abstract=on")
	})
	t.Run("tcp", func(t *testing.T) {
		_, port, _ := net.SplitHostPort(listen("tcp", "127.0.0.1:0").Addr().String())
		ping(t, "tcp:127.0.0.1:"+port)
	})
	t.Run("tcp without a host", func(t *testing.T) {
		_, port, _ := net.SplitHostPort(listen("tcp", "127.0.0.1:0").Addr().String())
		ping(t, "tcp::"+port)
	})
	t.Run("tcp6", func(t *testing.T) {
		_, port, _ := net.SplitHostPort(listen("tcp6", "[::1]:0").Addr().String())
		ping(t, "tcp:[::1]:"+port)
	})
	t.Run("fd", func(t *testing.T) {
		fd, f := fdPair(t)
		peer := unixConn(t, f)
		defer peer.Close()
		go serveOne(t, peer)
		ping(t, fmt.Sprintf("fd:%d", fd))
	})
	t.Run("pipe", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "p")
		var ends [2]*os.File
		for i, name := range []string{path + ".in", path + ".out"} {
			require.NoError(t, syscall.Mkfifo(name, 0o600))
			open := func() {
				f, err := os.OpenFile(name, os.O_RDWR, 0) // as QEMU does
				assert.NoError(t, err)
				t.Cleanup(func() { f.Close() })
				ends[i] = f
			}
			if i == 0 {
				open()
				continue
			}
			time.AfterFunc(50*time.Millisecond, func() { // and not both at once
				open()
				serveOne(t, &pipe{in: ends[1], out: ends[0]})
			})
		}
		ping(t, "pipe:"+path)
	})
}

func TestDialFails(t *testing.T) {
	dir := t.TempDir()
	_, err := Dial(t.Context(), "unix:"+dir+"/none")
	assert.ErrorIs(t, err, syscall.ENOENT, "no socket")
	assert.Regexp(t, "^qmp: dial unix:", err, "no socket")
	_, err = Dial(t.Context(), "pipe:"+dir+"/none")
	assert.ErrorIs(t, err, syscall.ENOENT, "no FIFOs")
	_, err = Dial(t.Context(), "fd:987")
	assert.ErrorIs(t, err, syscall.EBADF, "no descriptor")
	for _, name := range []string{"/p.in", "/p.out"} {
		require.NoError(t, syscall.Mkfifo(dir+name, 0o600))
	}
	_, err = Dial(t.Context(), "pipe:"+dir+"/p")
	assert.ErrorIs(t, err, syscall.ENXIO, "FIFOs that no server has opened")
	_, err = Dial(t.Context(), "tcp:localhost:1,server,tls-creds=tls0")
	assert.EqualError(t, err,
		"qmp: dial tcp:localhost:1,server,tls-creds=tls0: the address has tls-creds: for TLS use package qmptls")
	tunnel := WithDialer(&struct{ net.Dialer }{}) // could encrypt
	for _, addr := range []string{"fd:0", "pipe:" + dir + "/none", "vsock:1:1"} {
		_, err = Dial(t.Context(), addr, tunnel)
		assert.EqualError(t, err, "qmp: dial "+addr+": WithDialer is for unix: and tcp: addresses")
	}
	// A server that has another client: the connection is made, and then nothing.
	l, err := net.Listen("unix", dir+"/busy")
	require.NoError(t, err)
	defer l.Close()
	ctx, pass := deadline.Context(t)
	waits := dialerFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &readWatcher{conn, pass}, err
	})
	_, err = Dial(ctx, "unix:"+dir+"/busy", WithDialer(waits))
	want := "qmp: handshake: waiting for the greeting: context deadline exceeded" + hint + " (at unix:" + dir + "/busy)"
	wantErr(t, err, context.DeadlineExceeded, want)
}

// A readWatcher is a connection with a function that is called before each read.
type readWatcher struct {
	net.Conn

	before func()
}

func (w *readWatcher) Read(p []byte) (int, error) {
	w.before()
	return w.Conn.Read(p)
}

// On a socket a large request is written in parts, by a goroutine when the kernel
// takes no more, and the call can still be given up.
func TestLargeRequest(t *testing.T) {
	fd, f := fdPair(t)
	conn := unixConn(t, f)
	defer conn.Close()
	p := newPeer(t, conn)
	shaken := make(chan struct{})
	go func() { defer close(shaken); p.handshake() }()
	c, err := Dial(t.Context(), fmt.Sprintf("fd:%d", fd))
	require.NoError(t, err)
	defer c.Close()
	<-shaken
	big := strings.Repeat("x", 4<<20)
	ctx, cancel := context.WithCancel(t.Context())
	done := async(func() error { return c.Execute(ctx, "big", map[string]string{"s": big}, nil) })
	first := make([]byte, 1000)
	_, err = io.ReadFull(conn, first)
	require.NoError(t, err)
	p.dec = jsontext.NewDecoder(io.MultiReader(bytes.NewReader(first), conn))
	cancel()
	assert.ErrorIs(t, <-done, ErrAbandoned)
	done = async(func() error { return c.Execute(t.Context(), "small", nil, nil) })
	r := p.next()
	assert.Equal(t, "big", r.Execute)
	assert.GreaterOrEqual(t, len(r.text), 4<<20, "bytes of the request")
	p.answer(p.expect(`{"execute":"small","id":1}`), "{}")
	assert.NoError(t, <-done)
	p.send("{\"return\": {}}\r\n") // the late one
	done = async(func() error {
		var s string
		err := c.Execute(t.Context(), "echo", nil, &s)
		whole := s == big // Equal would print both of them
		assert.True(t, whole, "got %d bytes", len(s))
		return err
	})
	p.answer(p.next(), `"`+big+`"`)
	assert.NoError(t, <-done)
	// The server goes away while a request is being written.
	done = async(func() error { return c.Execute(t.Context(), "big", map[string]string{"s": big}, nil) })
	_, err = conn.Read(make([]byte, 1000))
	assert.NoError(t, err)
	conn.Close()
	assert.ErrorIs(t, <-done, ErrClosed)
	<-c.Done()
}

// A dialer that is nil is as none.
func TestNilDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			serveOne(t, c)
		}
	}()
	c, err := Dial(t.Context(), "tcp:"+l.Addr().String(), WithDialer(nil))
	require.NoError(t, err)
	defer c.Close()
	assert.NoError(t, c.Execute(t.Context(), "ping", nil, nil))
}

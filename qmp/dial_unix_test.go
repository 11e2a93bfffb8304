//go:build unix

package qmp

import (
	"bytes"
	"context"
	"errors"
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

	"github.com/goqapi/goqapi/internal/deadline"
)

// The address is read before anything else is done.
func TestBadAddress(t *testing.T) {
	const addr = "unix:/run/x.sock,abstarct=on"
	want := `address "` + addr + `": unknown option "abstarct"; is "abstract" meant?`
	if _, err := Dial(t.Context(), addr); err == nil || err.Error() != "qmp: "+want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := Listen(t.Context(), addr); err == nil || err.Error() != "qmp: listen: "+want {
		t.Errorf("got %v, want %s", err, want)
	}
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
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var got string
	if err := c.Execute(t.Context(), "ping", nil, &got); err != nil || got != "pong" {
		t.Errorf("%s: got %q, %v", addr, got, err)
	}
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
			if err := syscall.Mkfifo(name, 0o600); err != nil {
				t.Fatal(err)
			}
			open := func() {
				f, err := os.OpenFile(name, os.O_RDWR, 0) // as QEMU does
				if err != nil {
					t.Error(err)
				}
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
	if !errors.Is(err, syscall.ENOENT) || !strings.HasPrefix(err.Error(), "qmp: dial unix:") {
		t.Errorf("no socket: %v", err)
	}
	_, err = Dial(t.Context(), "pipe:"+dir+"/none")
	if !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no FIFOs: %v", err)
	}
	_, err = Dial(t.Context(), "fd:987")
	if !errors.Is(err, syscall.EBADF) {
		t.Errorf("no descriptor: %v", err)
	}
	for _, name := range []string{"/p.in", "/p.out"} {
		if err := syscall.Mkfifo(dir+name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err = Dial(t.Context(), "pipe:"+dir+"/p")
	if !errors.Is(err, syscall.ENXIO) {
		t.Errorf("FIFOs that no server has opened: %v", err)
	}
	_, err = Dial(t.Context(), "tcp:localhost:1,server,tls-creds=tls0")
	want := "qmp: dial tcp:localhost:1,server,tls-creds=tls0: the address has tls-creds: for TLS use package qmptls"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	tunnel := WithDialer(&struct{ net.Dialer }{}) // could encrypt
	for _, addr := range []string{"fd:0", "pipe:" + dir + "/none", "vsock:1:1"} {
		_, err = Dial(t.Context(), addr, tunnel)
		if want := "qmp: dial " + addr + ": WithDialer is for unix: and tcp: addresses"; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	// A server that has another client: the connection is made, and then nothing.
	l, err := net.Listen("unix", dir+"/busy")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, pass := deadline.Context(t)
	waits := dialerFunc(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &readWatcher{conn, pass}, err
	})
	_, err = Dial(ctx, "unix:"+dir+"/busy", WithDialer(waits))
	want = "qmp: handshake: waiting for the greeting: context deadline exceeded" + hint + " (at unix:" + dir + "/busy)"
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
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-shaken
	big := strings.Repeat("x", 4<<20)
	ctx, cancel := context.WithCancel(t.Context())
	done := async(func() error { return c.Execute(ctx, "big", map[string]string{"s": big}, nil) })
	first := make([]byte, 1000)
	if _, err := io.ReadFull(conn, first); err != nil {
		t.Fatal(err)
	}
	p.dec = jsontext.NewDecoder(io.MultiReader(bytes.NewReader(first), conn))
	cancel()
	if err := <-done; !errors.Is(err, ErrAbandoned) {
		t.Errorf("got %v", err)
	}
	done = async(func() error { return c.Execute(t.Context(), "small", nil, nil) })
	if r := p.next(); len(r.text) < 4<<20 || r.Execute != "big" {
		t.Errorf("got %d bytes of %s", len(r.text), r.Execute)
	}
	p.answer(p.expect(`{"execute":"small","id":1}`), "{}")
	if err := <-done; err != nil {
		t.Error(err)
	}
	p.send("{\"return\": {}}\r\n") // the late one
	done = async(func() error {
		var s string
		err := c.Execute(t.Context(), "echo", nil, &s)
		if s != big {
			t.Errorf("got %d bytes", len(s))
		}
		return err
	})
	p.answer(p.next(), `"`+big+`"`)
	if err := <-done; err != nil {
		t.Error(err)
	}
	// The server goes away while a request is being written.
	done = async(func() error { return c.Execute(t.Context(), "big", map[string]string{"s": big}, nil) })
	if _, err := conn.Read(make([]byte, 1000)); err != nil {
		t.Error(err)
	}
	conn.Close()
	if err := <-done; !errors.Is(err, ErrClosed) {
		t.Errorf("got %v", err)
	}
	<-c.Done()
}

// A dialer that is nil is as none.
func TestNilDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			serveOne(t, c)
		}
	}()
	c, err := Dial(t.Context(), "tcp:"+l.Addr().String(), WithDialer(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Execute(t.Context(), "ping", nil, nil); err != nil {
		t.Error(err)
	}
}

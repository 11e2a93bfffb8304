//go:build unix

package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// connectTo plays a server that connects to an address and answers one command.
func connectTo(t *testing.T, addr string) {
	t.Helper()
	rw, err := openAddress(t.Context(), addr, newOptions(nil))
	if err != nil {
		t.Error(err)
		return
	}
	serveOne(t, rw)
}

func TestListen(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]string{ // by the address, what Addr says of it
		"unix:" + dir + "/a,,b,server=off": "unix:" + dir + "/a,,b",
		"tcp:127.0.0.1:0":                  "tcp:127.0.0.1:",
		"tcp::0,ipv4":                      "tcp:localhost:",
		"tcp::0":                           "tcp:localhost:",
		"tcp::0,ipv6=on":                   "tcp:[::1]:",
		"tcp:[::1]:0":                      "tcp:[::1]:",
	}
	if runtime.GOOS == "linux" {
		name := fmt.Sprintf("unix:goqapi-listen-%d,abstract=on", os.Getpid())
		tests[name], tests[name+",tight=off"] = name, name+",tight=off"
	}
	for addr, want := range tests {
		t.Run(addr, func(t *testing.T) {
			l, err := Listen(t.Context(), addr)
			if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, syscall.EAFNOSUPPORT) {
				t.Skipf("no such network here: %v", err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if !strings.HasPrefix(l.Addr(), want) {
				t.Errorf("got %s, want %s", l.Addr(), want)
			}
			for range 2 {
				go connectTo(t, l.Addr())
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				c, err := l.Accept(ctx)
				if err != nil {
					t.Fatal(err)
				}
				var got string
				if err := c.Execute(t.Context(), "ping", nil, &got); err != nil || got != "pong" {
					t.Errorf("got %q, %v", got, err)
				}
				c.Close()
			}
		})
	}
}

// Only the owner can use the file of a socket, whatever the umask is.
func TestListenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old := syscall.Umask(0)
	l, err := Listen(t.Context(), "unix:"+path)
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	_, err = Listen(t.Context(), "unix:"+path)
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "qmp: listen at unix:"+path+": ") {
		t.Errorf("a second one: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), "unix:"+path); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a file of another kind: %v", err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("it is gone: %v", err)
	}
}

// A file of another program at the same path is not removed.
func TestListenCloseLeavesOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := Listen(t.Context(), UnixAddr(path))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := Listen(t.Context(), UnixAddr(path))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for range 2 {
		old.Close()
		if _, err := os.Lstat(path); err != nil {
			t.Fatalf("the socket of another program was removed: %v", err)
		}
	}
	other.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is left: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other.Close() // may have the inode number of what it removed
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the file of another program was removed: %v", err)
	}
}

func TestListenFails(t *testing.T) {
	for addr, want := range map[string]string{
		"here":                       `qmp: listen: address "here": it does not begin with its kind, such as "unix:" or "tcp:"`,
		"fd:3":                       `qmp: listen: address "fd:3": it is neither a unix: nor a tcp: address`,
		"tcp::0,server,tls-creds=t0": `qmp: listen: address "tcp::0,server,tls-creds=t0": it has tls-creds: for TLS use package qmptls`,
	} {
		if _, err := Listen(t.Context(), addr); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := Listen(t.Context(), "unix:"+t.TempDir()+"/none/s"); !errors.Is(err, syscall.ENOENT) {
		t.Error(err)
	}
}

func TestAcceptEnds(t *testing.T) {
	l, err := Listen(t.Context(), "tcp:127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	var ends []<-chan error
	for range 3 { // one of them waits for the server, two for that one
		ends = append(ends, async(func() error { _, err := l.Accept(ctx); return err }))
	}
	why := errors.New("the user went away")
	cancel(why)
	for _, end := range ends {
		err := <-end
		want := "qmp: accept at " + l.Addr() + ": context canceled: the user went away"
		wantErr(t, err, why, want)
	}
	// The listener can still be used.
	go connectTo(t, l.Addr())
	c, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ends = nil
	for range 3 {
		ends = append(ends, async(func() error { _, err := l.Accept(t.Context()); return err }))
	}
	l.Close()
	for _, end := range ends {
		if err := <-end; !errors.Is(err, net.ErrClosed) || !strings.HasPrefix(err.Error(), "qmp: accept at tcp:") {
			t.Error(err)
		}
	}
	if err := c.Execute(t.Context(), "ping", nil, nil); err != nil {
		t.Errorf("a connection ended with the listener: %v", err)
	}
}

// A peer that connects and sends nothing does not delay others.
func TestAcceptSilent(t *testing.T) {
	l, err := Listen(t.Context(), "unix:"+t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	silent, err := openAddress(t.Context(), l.Addr(), newOptions(nil))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	connected := make(chan struct{})
	waits := async(func() error {
		_, err := l.Accept(ctx, WithSetup(func(*Conn) { close(connected) }))
		return err
	})
	<-connected
	go connectTo(t, l.Addr())
	c, err := l.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Execute(t.Context(), "ping", nil, nil); err != nil {
		t.Error(err)
	}
	cancel()
	err = <-waits
	want := "qmp: handshake: waiting for the greeting: context canceled" + hint + " (accepted at " + l.Addr() + ")"
	wantErr(t, err, context.Canceled, want)
	if _, err := silent.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the connection of the silent peer is not closed: %v", err)
	}
}

// A connection stays when its server goes away and connects again.
func TestListenReconnects(t *testing.T) {
	l, err := Listen(t.Context(), "unix:"+t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var servers sync.WaitGroup
	defer servers.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	servers.Go(func() {
		for range 3 {
			rw, err := openAddress(ctx, l.Addr(), newOptions(nil))
			if err != nil {
				t.Error(err)
				return
			}
			serveOne(t, rw)
			rw.Close()
		}
	})
	c, err := DialFunc(ctx, l.AcceptStream, WithReconnect(Reconnect{}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 3 {
		var got string
		for got == "" {
			if err := c.Execute(ctx, "ping", nil, &got); err != nil && !errors.Is(err, ErrClosed) {
				t.Fatal(err)
			}
		}
	}
}

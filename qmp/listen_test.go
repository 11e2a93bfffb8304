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
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// connectTo plays a server that connects to an address and answers one command.
func connectTo(t *testing.T, addr string) {
	t.Helper()
	rw, err := openAddress(t.Context(), addr, newOptions(nil))
	if !assert.NoError(t, err) {
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
			require.NoError(t, err)
			defer l.Close()
			assert.True(t, strings.HasPrefix(l.Addr(), want), "got %s, want %s", l.Addr(), want)
			for range 2 {
				go connectTo(t, l.Addr())
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				c, err := l.Accept(ctx)
				require.NoError(t, err)
				var got string
				assert.NoError(t, c.Execute(t.Context(), "ping", nil, &got))
				assert.Equal(t, "pong", got)
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
	require.NoError(t, err)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.ModeSocket|0o600, info.Mode())
	_, err = Listen(t.Context(), "unix:"+path)
	assert.ErrorIs(t, err, syscall.EADDRINUSE, "a second one")
	assert.Regexp(t, "^"+regexp.QuoteMeta("qmp: listen at unix:"+path+": "), err)
	assert.NoError(t, l.Close())
	_, err = os.Lstat(path)
	assert.ErrorIs(t, err, os.ErrNotExist, "it is left")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	_, err = Listen(t.Context(), "unix:"+path)
	assert.ErrorIs(t, err, syscall.EADDRINUSE, "a file of another kind")
	_, err = os.Lstat(path)
	assert.NoError(t, err, "it is gone")
}

// A file of another program at the same path is not removed.
func TestListenCloseLeavesOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	old, err := Listen(t.Context(), UnixAddr(path))
	require.NoError(t, err)
	require.NoError(t, os.Remove(path))
	other, err := Listen(t.Context(), UnixAddr(path))
	require.NoError(t, err)
	defer other.Close()
	for range 2 {
		old.Close()
		_, err := os.Lstat(path)
		require.NoError(t, err, "the socket of another program was removed")
	}
	other.Close()
	_, err = os.Lstat(path)
	assert.ErrorIs(t, err, os.ErrNotExist, "it is left")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	other.Close() // may have the inode number of what it removed
	_, err = os.Lstat(path)
	assert.NoError(t, err, "the file of another program was removed")
}

func TestListenFails(t *testing.T) {
	for addr, want := range map[string]string{
		"here":                       `qmp: listen: address "here": it does not begin with its kind, such as "unix:" or "tcp:"`,
		"fd:3":                       `qmp: listen: address "fd:3": it is neither a unix: nor a tcp: address`,
		"tcp::0,server,tls-creds=t0": `qmp: listen: address "tcp::0,server,tls-creds=t0": it has tls-creds: for TLS use package qmptls`,
	} {
		_, err := Listen(t.Context(), addr)
		assert.EqualError(t, err, want)
	}
	_, err := Listen(t.Context(), "unix:"+t.TempDir()+"/none/s")
	assert.ErrorIs(t, err, syscall.ENOENT)
}

func TestAcceptEnds(t *testing.T) {
	l, err := Listen(t.Context(), "tcp:127.0.0.1:0")
	require.NoError(t, err)
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
	require.NoError(t, err)
	defer c.Close()
	ends = nil
	for range 3 {
		ends = append(ends, async(func() error { _, err := l.Accept(t.Context()); return err }))
	}
	l.Close()
	for _, end := range ends {
		err := <-end
		assert.ErrorIs(t, err, net.ErrClosed)
		assert.Regexp(t, "^qmp: accept at tcp:", err)
	}
	assert.NoError(t, c.Execute(t.Context(), "ping", nil, nil), "a connection ended with the listener")
}

// A peer that connects and sends nothing does not delay others.
func TestAcceptSilent(t *testing.T) {
	l, err := Listen(t.Context(), "unix:"+t.TempDir()+"/s")
	require.NoError(t, err)
	defer l.Close()
	silent, err := openAddress(t.Context(), l.Addr(), newOptions(nil))
	require.NoError(t, err)
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
	require.NoError(t, err)
	defer c.Close()
	assert.NoError(t, c.Execute(t.Context(), "ping", nil, nil))
	cancel()
	err = <-waits
	want := "qmp: handshake: waiting for the greeting: context canceled" + hint + " (accepted at " + l.Addr() + ")"
	wantErr(t, err, context.Canceled, want)
	_, err = silent.Read(make([]byte, 1))
	assert.Same(t, io.EOF, err, "the connection of the silent peer is not closed: %v", err)
}

// A connection stays when its server goes away and connects again.
func TestListenReconnects(t *testing.T) {
	l, err := Listen(t.Context(), "unix:"+t.TempDir()+"/s")
	require.NoError(t, err)
	defer l.Close()
	var servers sync.WaitGroup
	defer servers.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	servers.Go(func() {
		for range 3 {
			rw, err := openAddress(ctx, l.Addr(), newOptions(nil))
			if !assert.NoError(t, err) {
				return
			}
			serveOne(t, rw)
			rw.Close()
		}
	})
	c, err := DialFunc(ctx, l.AcceptStream, WithReconnect(Reconnect{}))
	require.NoError(t, err)
	defer c.Close()
	for range 3 {
		var got string
		for got == "" {
			if err := c.Execute(ctx, "ping", nil, &got); err != nil {
				require.ErrorIs(t, err, ErrClosed)
			}
		}
	}
}

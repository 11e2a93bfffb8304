package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// tunnelTo returns a tunnel to a server.
func tunnelTo(t *testing.T, s *qemutest.SSHD) *Tunnel {
	t.Helper()
	key, err := os.ReadFile(s.Key)
	require.NoError(t, err)
	own, err := ssh.ParsePrivateKey(key)
	require.NoError(t, err)
	known, err := knownhosts.New(s.KnownHosts)
	require.NoError(t, err)
	return &Tunnel{Addr: s.Addr, Config: ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(own)}, HostKeyCallback: known,
	}}
}

func TestFollow(t *testing.T) {
	s := qemutest.StartSSHD(t)
	tunnel := tunnelTo(t, s)
	defer tunnel.Close()
	vm := qmptest.Start(t)
	dir, err := os.MkdirTemp("", "ssh") // t.TempDir can be too long for a socket
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	addr, err := vm.Listen(qmp.UnixAddr(filepath.Join(dir, "qmp")))
	require.NoError(t, err)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := follow(ctx, tunnel, addr, in)
		in.CloseWithError(err)
		ended <- err
	}()
	lines := bufio.NewScanner(out)
	next := func() string {
		require.True(t, lines.Scan(), "%v", lines.Err())
		return lines.Text()
	}
	own, err := vm.Dial(t.Context())
	require.NoError(t, err)
	defer own.Close()

	assert.Equal(t, "prelaunch", next())
	require.NoError(t, own.Execute(t.Context(), "cont", nil, nil))
	assert.Equal(t, "RESUME", next())
	assert.Equal(t, "running", next())
	s.Cut()
	assert.True(t, strings.HasPrefix(next(), "connection lost: "), lines.Text())
	assert.Equal(t, "running", next())
	require.NoError(t, own.Execute(t.Context(), "stop", nil, nil))
	assert.Equal(t, "STOP", next())
	assert.Equal(t, "paused", next())
	cancel()
	assert.ErrorIs(t, <-ended, context.Canceled)
}

// While a login hangs, each dial ends with its own context, and Close ends the login.
func TestLoginHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // nobody answers there
	require.NoError(t, err)
	defer l.Close()
	tunnel := &Tunnel{Addr: l.Addr().String(), Config: ssh.ClientConfig{HostKeyCallback: ssh.InsecureIgnoreHostKey()}}
	first := make(chan error, 1)
	go func() {
		_, err := tunnel.DialContext(t.Context(), "unix", "/s")
		first <- err
	}()
	raw, err := l.Accept() // the login has begun
	require.NoError(t, err)
	defer raw.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = tunnel.DialContext(ctx, "unix", "/s")
	assert.ErrorIs(t, err, context.Canceled)
	require.NoError(t, tunnel.Close())
	assert.Error(t, <-first)
	_, err = tunnel.DialContext(t.Context(), "unix", "/s")
	assert.ErrorIs(t, err, net.ErrClosed)
}

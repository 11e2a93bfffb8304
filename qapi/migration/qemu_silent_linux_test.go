package migration_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
)

// silentPort returns a TCP port at which connecting never ends: its queue of connections is full.
func silentPort(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	t.Cleanup(func() { syscall.Close(fd) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	port := name.(*syscall.SockaddrInet4).Port
	for range 3 {
		if c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), 100*time.Millisecond); err == nil {
			t.Cleanup(func() { c.Close() })
		}
	}
	return port
}

// QEMU stops trying to connect only when the kernel does: the call returns in time nevertheless.
func TestQEMUNobodyAnswers(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		from := startQEMU(t, q)
		require.NoError(t, from.Cont(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		begin := time.Now()
		_, err := migration.Run(ctx, from.Client, migration.TCP("127.0.0.1", silentPort(t)), migration.Limit(time.Second),
			migration.OnProgress(func(migration.Progress) { cancel() }))
		require.ErrorIs(t, err, context.Canceled)
		t.Log(err)
		assert.Less(t, time.Since(begin), 30*time.Second)
		assert.Equal(t, qapi.RunStateRunning, from.state(t))
		if e, ok := errors.AsType[*migration.Error](err); ok {
			assert.True(t, e.Cancelled)
			unchanged(t, from)
		} else {
			require.ErrorContains(t, err, "left behind: the migration, which may go on (its status is cancelling")
		}
	})
}

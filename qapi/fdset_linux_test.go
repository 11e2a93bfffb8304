package qapi_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// dialFakeSocket connects to a fake through a Unix socket, over which files can be passed.
func dialFakeSocket(t *testing.T) (*qmptest.Server, *qapi.Client) {
	t.Helper()
	dir, err := os.MkdirTemp("", "qapi") // t.TempDir can be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	srv := qmptest.Start(t)
	addr, err := srv.Listen("unix:" + filepath.Join(dir, "s"))
	require.NoError(t, err)
	c, err := qapi.Dial(t.Context(), addr)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return srv, c
}

// image opens a new file of a mebibyte.
func image(t *testing.T, flag int) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "img")
	require.NoError(t, os.WriteFile(path, make([]byte, 1<<20), 0o600))
	f, err := os.OpenFile(path, flag, 0)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

func fdsets(t *testing.T, c *qapi.Client) []qapi.FdsetInfo {
	t.Helper()
	sets, err := c.QueryFdsets(t.Context())
	require.NoError(t, err)
	return sets
}

func TestAddFile(t *testing.T) {
	_, c := dialFakeSocket(t)
	set, err := qapi.AddFile(t.Context(), c, image(t, os.O_RDONLY), image(t, os.O_RDWR))
	require.NoError(t, err)
	sets := fdsets(t, c)
	require.Len(t, sets, 1)
	assert.Len(t, sets[0].FDs, 2)
	assert.Equal(t, fmt.Sprintf("/dev/fdset/%d", sets[0].FdsetID), set.Path())
	require.NoError(t, set.Remove(t.Context(), c))
	assert.Empty(t, fdsets(t, c))
	require.NoError(t, set.Remove(t.Context(), c), "it is gone")

	_, piped := dialFake(t)
	_, err = qapi.AddFile(t.Context(), piped, image(t, os.O_RDONLY))
	require.ErrorIs(t, err, qmp.ErrNoFiles)
	_, err = qapi.AddFile(t.Context(), c)
	assert.ErrorContains(t, err, "no file was given")
}

// TestAddFileFails checks that no file is left in the server, whichever of the files was refused or
// lost.
func TestAddFileFails(t *testing.T) {
	srv, c := dialFakeSocket(t)
	first, second := image(t, os.O_RDONLY), image(t, os.O_RDWR)
	closed := image(t, os.O_RDONLY)
	closed.Close()
	_, err := qapi.AddFile(t.Context(), c, first, closed)
	require.ErrorContains(t, err, "closed")
	assert.Empty(t, fdsets(t, c))

	// The reply does not come before ctx ends, but the command has run.
	heal := srv.Fault("add-fd", qmptest.Drop())
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := qapi.AddFile(ctx, c, first, second)
		done <- err
	}()
	for len(fdsets(t, c)) == 0 { // each turn is a round trip
	}
	cancel()
	require.ErrorIs(t, <-done, qmp.ErrAbandoned)
	heal()
	assert.Empty(t, fdsets(t, c))

	srv.Handle("query-fdsets", func(context.Context, *qmptest.Request) (any, error) {
		return nil, &qmp.Error{Class: qmp.ClassGenericError, Desc: "jammed"}
	})
	_, err = qapi.AddFile(t.Context(), c, first, closed)
	assert.ErrorContains(t, err, "the server may still have the file")
	assert.ErrorContains(t, err, "jammed")
}

func TestQEMUAddFile(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp"))
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		rw := image(t, os.O_RDWR)
		early, err := qapi.AddFile(t.Context(), c, rw)
		require.NoError(t, err)
		require.NoError(t, early.Remove(t.Context(), c)) // 5.2 and 7.2 keep files while a machine is paused
		require.NoError(t, c.Cont(t.Context()))
		require.NoError(t, early.Remove(t.Context(), c))
		assert.Empty(t, fdsets(t, c))
		ro, err := os.Open(rw.Name())
		require.NoError(t, err)
		defer ro.Close()
		set, err := qapi.AddFile(t.Context(), c, ro, rw)
		require.NoError(t, err)
		require.NoError(t, os.Remove(rw.Name()))
		for _, readOnly := range []bool{true, false} {
			require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
				NodeName: new("f"), ReadOnly: &readOnly, Driver: qapi.BlockdevOptionsFile{Filename: set.Path()},
			}))
			require.NoError(t, c.BlockdevDel(t.Context(), qapi.BlockdevDelArgs{NodeName: "f"}))
		}
		require.NoError(t, set.Remove(t.Context(), c))
		require.NoError(t, set.Remove(t.Context(), c))
		assert.Empty(t, fdsets(t, c))
		closed, err := os.Open(os.DevNull)
		require.NoError(t, err)
		closed.Close()
		_, err = qapi.AddFile(t.Context(), c, ro, closed)
		require.Error(t, err)
		assert.Empty(t, fdsets(t, c))
	})
}

package qmptest_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// onSocket starts a server and connects to it over a socket that files can be passed
// through.
func onSocket(t *testing.T, opts ...qmptest.Option) (*qmptest.Server, string) {
	t.Helper()
	srv := qmptest.Start(t, opts...)
	addr, err := srv.Listen("unix:" + filepath.Join(socketDir(t), "s"))
	require.NoError(t, err)
	return srv, addr
}

// newPipe returns the two ends of a pipe: the end of the file is read when all that hold
// the other are gone.
func newPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

func TestFilesArePassed(t *testing.T) {
	_, addr := onSocket(t)
	c, err := qapi.Dial(t.Context(), addr)
	require.NoError(t, err)
	defer c.Close()
	r, w := newPipe(t)
	require.NoError(t, c.With(qmp.Files(w)).Getfd(t.Context(), qapi.GetfdArgs{Fdname: "a"}))
	require.NoError(t, w.Close())
	require.NoError(t, c.Closefd(t.Context(), qapi.ClosefdArgs{Fdname: "a"}))
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "closefd has closed it")

	r, w = newPipe(t)
	_, err = c.With(qmp.Files(w)).AddFD(t.Context(), qapi.AddFDArgs{FdsetID: new(int64(3)), Opaque: new("o")})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	sets, err := c.QueryFdsets(t.Context())
	require.NoError(t, err)
	require.Len(t, sets, 1)
	assert.Equal(t, "o", *sets[0].FDs[0].Opaque)
	require.NoError(t, c.RemoveFD(t.Context(), qapi.RemoveFDArgs{FdsetID: 3}))
	_, err = r.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF, "remove-fd has closed it")
}

// A file belongs to the request with which it came, however the text is split; of several files the last counts.
func TestFilesAndRequests(t *testing.T) {
	_, addr := onSocket(t)
	conn, err := net.Dial("unix", strings.TrimPrefix(addr, "unix:"))
	require.NoError(t, err)
	defer conn.Close()
	in := bufio.NewReader(conn)
	hear(t, conn, in, `{"execute":"qmp_capabilities"}{"execute":"getf`, 2)
	r1, w1 := newPipe(t)
	require.NoError(t, writeFile(conn, `d","arguments":{"fdname":"a"}}`, w1)) // in the middle of it
	require.NoError(t, writeFile(conn, `{"execute":"query-name"}`, w1))       // that does not want it
	got := hear(t, conn, in, `{"execute":"getfd","arguments":{"fdname":"b"}}{"execute":"getfd","arguments":{"fdname":"c"}}`, 4)
	require.NoError(t, w1.Close())
	assert.Equal(t, []string{`{"return": {}}`, `{"return": {}}`, `{"return": {}}`}, got[:3], "b is the one of query-name")
	assert.Contains(t, got[3], "No file descriptor supplied")

	r2, w2 := newPipe(t)
	require.NoError(t, writeFile(conn, `{"execute":"query-name"}`, w2))
	require.NoError(t, w2.Close())
	_, w3 := newPipe(t)
	require.NoError(t, writeFile(conn, `{"execute":"query-name"}`, w3))
	hear(t, conn, in, "", 2)
	_, err = r2.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF, "the next one has taken its place")
	hear(t, conn, in, `{"execute":"closefd","arguments":{"fdname":"a"}}{"execute":"closefd","arguments":{"fdname":"b"}}`, 2)
	_, err = r1.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF, "both were the same")
}

// Files that nobody has closed are closed with the server, or when their client leaves.
func TestFilesAreClosed(t *testing.T) {
	srv := qmptest.New()
	addr, err := srv.Listen("unix:" + filepath.Join(socketDir(t), "s"))
	require.NoError(t, err)
	var ends []*os.File
	c, err := qapi.Dial(t.Context(), addr)
	require.NoError(t, err)
	for _, pass := range []func(*qapi.Client) error{
		func(c *qapi.Client) error { return c.Getfd(t.Context(), qapi.GetfdArgs{Fdname: "a"}) },
		func(c *qapi.Client) error { _, err := c.AddFD(t.Context(), qapi.AddFDArgs{}); return err },
		func(c *qapi.Client) error { _, err := c.QueryName(t.Context()); return err },
	} {
		r, w := newPipe(t)
		require.NoError(t, pass(c.With(qmp.Files(w))))
		require.NoError(t, w.Close())
		ends = append(ends, r)
	}
	require.NoError(t, c.Close())
	require.NoError(t, srv.Close())
	for _, r := range ends {
		_, err := r.Read(make([]byte, 1))
		assert.ErrorIs(t, err, io.EOF)
	}
}

// A handler of the test's own takes a file, and reads what a client has written to it.
func TestTakeFile(t *testing.T) {
	srv, addr := onSocket(t)
	var text []byte
	srv.Handle("dump-guest-memory", func(_ context.Context, req *qmptest.Request) (any, error) {
		f := req.TakeFile()
		if f == nil {
			return nil, errors.New("no file")
		}
		defer f.Close()
		var err error
		text, err = io.ReadAll(f)
		return nil, err
	})
	c, err := qapi.Dial(t.Context(), addr)
	require.NoError(t, err)
	defer c.Close()
	r, w := newPipe(t)
	_, err = w.WriteString("hello")
	require.NoError(t, err)
	require.NoError(t, w.Close())
	args := qapi.DumpGuestMemoryArgs{Protocol: "fd:a"}
	require.NoError(t, c.With(qmp.Files(r)).DumpGuestMemory(t.Context(), args))
	assert.Equal(t, "hello", string(text))
	assert.ErrorContains(t, c.DumpGuestMemory(t.Context(), args), "no file")
	var nothing qmptest.Request
	assert.Nil(t, nothing.TakeFile())
}

// Sets that nothing has opened vanish with the last client of an older QEMU that runs.
func TestFdsetsVanish(t *testing.T) {
	for release, left := range map[string]int{"7.2": 1, "10.0": 2} {
		srv, addr := onSocket(t, qmptest.Release(release))
		c, err := qapi.Dial(t.Context(), addr)
		require.NoError(t, err)
		for id := range int64(2) {
			_, w := newPipe(t)
			_, err := c.With(qmp.Files(w)).AddFD(t.Context(), qapi.AddFDArgs{FdsetID: &id})
			require.NoError(t, err)
		}
		require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
			NodeName: new("n"), Driver: qapi.BlockdevOptionsFile{Filename: "/dev/fdset/1"},
		}))
		require.NoError(t, c.Cont(t.Context()))
		require.NoError(t, c.Close())
		c, err = qapi.Dial(t.Context(), addr)
		require.NoError(t, err)
		sets, err := c.QueryFdsets(t.Context())
		require.NoError(t, err)
		assert.Len(t, sets, left, release)
		require.NoError(t, c.Close())
		require.NoError(t, srv.Close())
	}
}

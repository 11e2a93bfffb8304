package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// A fileReader reads a socket byte by byte, as QEMU does, and notes with which
// byte files came.
type fileReader struct {
	*net.UnixConn
	offset int
	files  map[int][]int // by the byte's offset
}

func (r *fileReader) Read(b []byte) (int, error) {
	rights := make([]byte, syscall.CmsgSpace(4*maxFiles))
	n, got, _, _, err := r.ReadMsgUnix(b[:1], rights)
	if got > 0 {
		messages, err := syscall.ParseSocketControlMessage(rights[:got])
		if err != nil {
			return n, err
		}
		fds, err := syscall.ParseUnixRights(&messages[0])
		if err != nil {
			return n, err
		}
		r.files[r.offset] = fds
	}
	r.offset += n
	if err == nil && n == 0 {
		err = io.EOF
	}
	return n, err
}

// named returns a new file and the name that /proc has for it.
func named(t testing.TB, name string) (*os.File, string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	f, err := os.Create(filepath.Join(dir, name))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f, f.Name()
}

func TestFiles(t *testing.T) {
	for _, oob := range []bool{false, true} {
		t.Run(fmt.Sprint("oob ", oob), func(t *testing.T) {
			checkLeaks(t)
			ours, theirs := socketpair(t)
			r := &fileReader{theirs, 0, make(map[int][]int)}
			p := newPeer(t, r)
			var opts []Option
			negotiation := `{"execute":"qmp_capabilities","id":#}`
			if oob {
				opts = append(opts, WithOOB())
				negotiation = `{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":#}`
			}
			shaken := make(chan struct{})
			go func() { defer close(shaken); p.negotiate(negotiation) }()
			c, err := NewConn(t.Context(), ours, opts...)
			require.NoError(t, err)
			defer c.Close()
			<-shaken

			var wait sync.WaitGroup
			defer wait.Wait()
			const n = 16
			for i := range n {
				f, name := named(t, fmt.Sprint("f", i))
				wait.Go(func() {
					err := c.With(Files(f, f)).Execute(t.Context(), "add", name, nil)
					assert.Error(t, err, "a string was accepted as arguments")
					err = c.With(Files(f, f)).Execute(t.Context(), "add", map[string]string{"name": name}, nil)
					assert.NoError(t, err)
				})
				wait.Go(func() {
					assert.NoError(t, c.Execute(t.Context(), "other", nil, nil))
				})
			}
			for range 2 * n {
				got := p.next()
				at := r.offset - len(got.text)
				fds := r.files[at]
				delete(r.files, at)
				assert.Empty(t, r.files, "%s: files came with other bytes, it begins at %d", got.text, at)
				var want string
				var files int
				if got.Execute == "add" {
					want, files = string(got.Args), 2
				}
				assert.Len(t, fds, files, got.text)
				for _, fd := range fds {
					name, err := os.Readlink(fmt.Sprint("/proc/self/fd/", fd))
					assert.NoError(t, err)
					assert.Equal(t, want, `{"name":"`+name+`"}`)
					syscall.Close(fd)
				}
				p.answer(got, "{}")
			}
		})
	}
}

// With out-of-band execution no other command is in flight together with one that has files.
func TestFilesWithoutOtherCommands(t *testing.T) {
	ours, theirs := socketpair(t)
	p := newPeer(t, theirs)
	go p.negotiate(`{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":#}`)
	c, err := NewConn(t.Context(), ours, WithOOB())
	require.NoError(t, err)
	defer c.Close()
	f, _ := named(t, "f")
	var ends []<-chan error
	start := func(c *Conn, command string) {
		end := make(chan error, 1)
		ends = append(ends, end)
		c.Go(t.Context(), command, nil, nil, func(err error) { end <- err })
	}
	start(c, "before")
	before := p.next()
	start(c.With(Files(f)), "one")
	start(c.With(Files(f)), "two")
	start(c, "after")
	start(c.With(OutOfBand()), "urgent")
	p.answer(p.expect(`{"exec-oob":"urgent","id":2}`), "{}") // not "one"
	p.answer(before, "{}")
	for _, name := range []string{"one", "two"} {
		r := p.expect(`{"execute":"` + name + `","id":1}`)
		start(c.With(OutOfBand()), "urgent")
		p.answer(p.expect(`{"exec-oob":"urgent","id":2}`), "{}") // not the next
		p.answer(r, "{}")
	}
	p.answer(p.expect(`{"execute":"after","id":1}`), "{}")
	for _, end := range ends {
		assert.NoError(t, <-end)
	}
	err = c.With(OutOfBand(), Files(f)).Execute(t.Context(), "urgent", nil, nil)
	assert.EqualError(t, err, "qmp: urgent: files cannot be passed out of band")
}

func TestFilesRefused(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		err := p.With(Files(os.Stdin)).Execute(t.Context(), "getfd", nil, nil)
		wantErr(t, err, ErrNoFiles, "qmp: getfd: files cannot be passed on this connection: it does not use a Unix socket")
		_, err = p.With(Files(os.Stdin)).RoundTrip(t.Context(), []byte(`{"execute":"getfd"}`))
		wantErr(t, err, ErrNoFiles, "qmp: message: files cannot be passed on this connection: it does not use a Unix socket")
	})
	ours, theirs := socketpair(t)
	p := newPeer(t, theirs)
	go p.handshake()
	c, err := NewConn(t.Context(), ours)
	require.NoError(t, err)
	defer c.Close()
	err = c.With(Files(make([]*os.File, 17)...)).Execute(t.Context(), "getfd", nil, nil)
	assert.EqualError(t, err, "qmp: getfd: 17 files are more than the 16 that a command can have")
	closed, _ := named(t, "closed")
	closed.Close()
	for _, f := range []*os.File{closed, nil} { // nothing is sent, and the connection stays open
		err = c.With(Files(os.Stdin, f)).Execute(t.Context(), "getfd", nil, nil)
		assert.Regexp(t, "^qmp: getfd: passing files: ", err)
	}
	end := async(func() error { return c.Execute(t.Context(), "next", nil, nil) })
	p.answer(p.expect(`{"execute":"next"}`), "{}")
	assert.NoError(t, <-end)
}

// Sixteen goroutines pass files to a real QEMU while others ask for something
// else. /proc shows what QEMU has got.
func TestQEMUFiles(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, opts := range [][]Option{nil, {WithOOB()}} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			stream := q.Start(t, "-qmp").(*net.UnixConn)
			pid := peerProcess(t, stream)
			c, err := NewConn(ctx, stream, opts...)
			require.NoError(t, err)
			defer c.Close()
			var wait sync.WaitGroup
			for i := range 16 {
				f, name := named(t, fmt.Sprint("f", i))
				h := c.With(Files(f))
				wait.Go(func() {
					for j := range 25 {
						var set struct {
							FD int `json:"fd"`
						}
						err := h.Execute(ctx, "add-fd", map[string]string{"opaque": name}, &set)
						assert.NoError(t, err, "add-fd")
						got, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, set.FD))
						assert.NoError(t, err)
						assert.Equal(t, name, got, "the file that QEMU has")
						fdname := map[string]string{"fdname": fmt.Sprint("n", i, "-", j)}
						assert.NoError(t, h.Execute(ctx, "getfd", fdname, nil))
						assert.NoError(t, c.Execute(ctx, "closefd", fdname, nil))
					}
				})
				wait.Go(func() {
					for range 50 {
						assert.NoError(t, c.Execute(ctx, "query-name", nil, nil))
					}
				})
			}
			wait.Wait()
			err = c.Execute(ctx, "getfd", map[string]string{"fdname": "none"}, nil)
			var refused *Error
			assert.ErrorAs(t, err, &refused, "getfd without a file")
		}
	})
}

// peerProcess is the process at the other end.
func peerProcess(t *testing.T, c *net.UnixConn) int {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	var cred *syscall.Ucred
	err2 := raw.Control(func(fd uintptr) {
		cred, err = syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
	})
	require.NoError(t, errors.Join(err, err2))
	return int(cred.Pid)
}

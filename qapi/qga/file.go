package qga

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qmp"
)

// chunkSize is how many bytes of a file one command moves: so many that the cost of the
// command does not matter, and so few that other commands do not wait long.
const chunkSize = 256 << 10

// cleanupTime is how long a handle may take to close when the context of its file
// has ended.
const cleanupTime = 10 * time.Second

// A File is an open file in the guest. Its context is that of [OpenFile]; all methods end
// when it does. A File is not safe for use by several goroutines at a time.
type File struct {
	ctx    context.Context // the methods of io.Reader and io.Writer take no context
	c      *Client
	path   string
	handle int64
}

// OpenFile opens a file in the guest. mode is as for fopen in C: "r" to read, "w"
// to replace its content, "a" to append, with a "+" to read and write. ctx is the context
// of all methods of the file. The file must be closed: the agent keeps it open even when
// the connection ends.
//
// If ctx ends while the agent opens the file, a goroutine waits 10 s more for the answer, and
// closes the file.
func OpenFile(ctx context.Context, c *Client, path, mode string) (*File, error) {
	f := &File{ctx: ctx, c: c, path: path}
	if err := c.GuestPing(ctx); err != nil { // when the agent has answered, no earlier command can delay the command that opens the file
		return nil, f.errorf("open", err)
	}
	opened := make(chan error)
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer cancel()
		handle, err := c.GuestFileOpen(late, GuestFileOpenArgs{Path: path, Mode: &mode})
		f.handle = handle
		select {
		case opened <- err:
		case <-ctx.Done():
			if err == nil {
				_ = c.GuestFileClose(late, GuestFileCloseArgs{Handle: handle}) // nobody waits for the result
			}
		}
	}()
	select {
	case err := <-opened:
		if err != nil {
			return nil, f.errorf("open", err)
		}
		return f, nil
	case <-ctx.Done():
		time.AfterFunc(cleanupTime, cancel)
		return nil, f.errorf("open", fmt.Errorf("%w: %w", ctx.Err(), qmp.ErrAbandoned))
	}
}

func (f *File) errorf(action string, err error) error {
	return fmt.Errorf("qga: %s %s: %w", action, printable.String(f.path), err)
}

// broken is the error of a read that failed. It does not wrap io.EOF, which would mean the
// end of the file: the error of a connection that the other side has closed wraps io.EOF.
type broken struct{ error }

func (b broken) Is(target error) bool { return target != io.EOF && errors.Is(b.error, target) }
func (b broken) As(target any) bool   { return errors.As(b.error, target) }

// Read reads up to len(p) bytes, with one command, which moves at most 256 KiB.
func (f *File) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	data, err := f.read(min(len(p), chunkSize))
	return copy(p, data), err
}

// read reads up to size bytes, at least one unless there is an error.
func (f *File) read(size int) ([]byte, error) {
	r, err := f.c.GuestFileRead(f.ctx, GuestFileReadArgs{Handle: f.handle, Count: new(int64(size))})
	switch {
	case err != nil:
		return nil, broken{f.errorf("read", err)}
	case len(r.BufB64) > size:
		return nil, f.errorf("read", fmt.Errorf("the agent sent %d bytes when it was asked for %d", len(r.BufB64), size))
	case r.Count != int64(len(r.BufB64)):
		return nil, f.errorf("read", fmt.Errorf("the agent sent %d bytes, but says that it read %d", len(r.BufB64), r.Count))
	case len(r.BufB64) > 0:
		return r.BufB64, nil
	case r.EOF:
		return nil, io.EOF
	}
	return nil, f.errorf("read", io.ErrNoProgress)
}

// WriteTo implements [io.WriterTo]: [io.Copy] moves more at a time with it.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		data, err := f.read(chunkSize)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		n, err := w.Write(data)
		total += int64(n)
		if err == nil && n < len(data) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
	}
}

// Write writes all of p, in as many commands as that takes. The agent buffers: an
// error may only come with [File.Flush] or [File.Close].
func (f *File) Write(p []byte) (int, error) {
	total := 0
	for total < len(p) {
		piece := p[total:min(len(p), total+chunkSize)]
		r, err := f.c.GuestFileWrite(f.ctx, GuestFileWriteArgs{Handle: f.handle, BufB64: piece})
		switch {
		case err != nil:
			return total, f.errorf("write", err)
		case r.Count <= 0 || r.Count > int64(len(piece)):
			return total, f.errorf("write", fmt.Errorf("the agent wrote %d bytes of %d", r.Count, len(piece)))
		}
		total += int(r.Count)
	}
	return total, nil
}

// ReadFrom implements [io.ReaderFrom]: [io.Copy] moves more at a time with it.
func (f *File) ReadFrom(r io.Reader) (int64, error) {
	var total int64
	buf := make([]byte, chunkSize)
	for {
		n, err := 0, error(nil)
		for n < len(buf) && err == nil {
			var more int
			more, err = r.Read(buf[n:])
			n += more
		}
		written, writeErr := f.Write(buf[:n])
		total += int64(written)
		switch {
		case writeErr != nil:
			return total, writeErr
		case err == io.EOF:
			return total, nil
		case err != nil:
			return total, err
		}
	}
}

// Seek sets where the next Read or Write begins, as in [io.Seeker].
func (f *File) Seek(offset int64, whence int) (int64, error) {
	from, ok := map[int]QGASeek{io.SeekStart: QGASeekSet, io.SeekCurrent: QGASeekCur, io.SeekEnd: QGASeekEnd}[whence]
	if !ok {
		return 0, f.errorf("seek in", fmt.Errorf("whence is %d", whence))
	}
	r, err := f.c.GuestFileSeek(f.ctx, GuestFileSeekArgs{Handle: f.handle, Offset: offset, Whence: from})
	if err != nil {
		return 0, f.errorf("seek in", err)
	}
	if r.Position < 0 {
		return 0, f.errorf("seek in", fmt.Errorf("the agent says that the position is %d", r.Position))
	}
	return r.Position, nil
}

// Flush passes the data that the agent has buffered to the guest's operating system.
func (f *File) Flush() error {
	if err := f.c.GuestFileFlush(f.ctx, GuestFileFlushArgs{Handle: f.handle}); err != nil {
		return f.errorf("flush", err)
	}
	return nil
}

// Close closes the file. Everything is written only if Close succeeds. It also works when
// the file's context has ended; then the agent has 10 s to answer.
func (f *File) Close() error {
	ctx := f.ctx
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
	}
	if err := f.c.GuestFileClose(ctx, GuestFileCloseArgs{Handle: f.handle}); err != nil {
		return f.errorf("close", err)
	}
	return nil
}

// Download copies the file at a path in the guest to w, and returns its size. The
// guest decides how long the file is: if it is not trusted, let w or ctx set a limit.
func Download(ctx context.Context, c *Client, path string, w io.Writer) (int64, error) {
	f, err := OpenFile(ctx, c, path, "r")
	if err != nil {
		return 0, err
	}
	n, err := f.WriteTo(w)
	return n, errors.Join(err, f.Close())
}

// Upload replaces the content of the file at a path in the guest with what it reads from r,
// and returns the size. If it fails, the file may have only a part of it.
func Upload(ctx context.Context, c *Client, path string, r io.Reader) (int64, error) {
	f, err := OpenFile(ctx, c, path, "w")
	if err != nil {
		return 0, err
	}
	n, err := f.ReadFrom(r)
	return n, errors.Join(err, f.Close())
}

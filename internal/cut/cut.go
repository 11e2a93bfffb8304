// Package cut breaks connections of tests at every step of what they do.
package cut

import (
	"bytes"
	"context"
	"io"
	"sync"
)

// How says in which way a connection breaks.
type How string

const (
	Unsent     How = "before the command is sent"
	Sent       How = "when the command is sent" // it may be executed
	Unanswered How = "before its reply is read" // the command was executed
)

// A Cutter makes connections, and breaks them at one message.
type Cutter struct {
	connect func(context.Context) (io.ReadWriteCloser, error)

	mu   sync.Mutex
	left int // messages until then; 0: none
	do   func(w *wire, message []byte) (int, error)
}

// New returns a Cutter whose connections are made by connect.
func New(connect func(context.Context) (io.ReadWriteCloser, error)) *Cutter {
	return &Cutter{connect: connect}
}

// Dial makes a connection.
func (c *Cutter) Dial(ctx context.Context) (io.ReadWriteCloser, error) {
	rw, err := c.connect(ctx)
	if err != nil {
		return nil, err
	}
	return &wire{ReadWriteCloser: rw, cutter: c}, nil
}

// At breaks the connection at the nth message from now on, the next being the first.
func (c *Cutter) At(n int, how How) {
	c.at(n, func(w *wire, message []byte) (int, error) {
		switch how {
		case Unsent:
			w.Close()
			return 0, io.ErrClosedPipe
		case Sent:
			defer w.Close()
			return w.ReadWriteCloser.Write(message)
		}
		w.mu.Lock()
		w.dropping = true
		w.mu.Unlock()
		return w.ReadWriteCloser.Write(message)
	})
}

// Before calls f before the nth message from now on is sent.
func (c *Cutter) Before(n int, f func()) {
	c.at(n, func(w *wire, message []byte) (int, error) {
		f()
		return w.ReadWriteCloser.Write(message)
	})
}

// at lets f send the nth message from now on.
func (c *Cutter) at(n int, f func(w *wire, message []byte) (int, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.do = n, f
}

// Reached reports whether the message at which something should happen was sent. Nothing
// happens to later messages.
func (c *Cutter) Reached() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	reached := c.left <= 0
	c.left, c.do = 0, nil
	return reached
}

// next returns the function that sends the next message; nil: it is sent as usual.
func (c *Cutter) next() func(w *wire, message []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left != 0 {
		return nil
	}
	return c.do
}

// A wire is a connection that can break.
type wire struct {
	io.ReadWriteCloser

	cutter   *Cutter
	mu       sync.Mutex
	dropping bool // what comes is not handed on, and after a reply it breaks
}

func (w *wire) Write(message []byte) (int, error) {
	if do := w.cutter.next(); do != nil {
		return do(w, message)
	}
	return w.ReadWriteCloser.Write(message)
}

func (w *wire) Read(buf []byte) (int, error) {
	for {
		n, err := w.ReadWriteCloser.Read(buf)
		w.mu.Lock()
		dropping := w.dropping
		w.mu.Unlock()
		switch {
		case !dropping || err != nil:
			return n, err
		case bytes.Contains(buf[:n], []byte(`"return"`)), bytes.Contains(buf[:n], []byte(`"error"`)):
			w.Close()
			return 0, io.ErrUnexpectedEOF
		}
	}
}

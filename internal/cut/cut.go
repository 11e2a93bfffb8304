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

// New makes a Cutter of what makes connections.
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
		w.swallow.Lock()
		w.swallowing = true
		w.swallow.Unlock()
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

// at has f send the nth message from now on.
func (c *Cutter) at(n int, f func(w *wire, message []byte) (int, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left, c.do = n, f
}

// Reached reports whether as many messages were sent. Nothing happens to those that follow.
func (c *Cutter) Reached() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	reached := c.left <= 0
	c.left, c.do = 0, nil
	return reached
}

// next returns what sends the next message; nil if nothing special does.
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

	cutter     *Cutter
	swallow    sync.Mutex
	swallowing bool // what comes is not handed on, and after a reply it breaks
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
		w.swallow.Lock()
		swallowing := w.swallowing
		w.swallow.Unlock()
		switch {
		case !swallowing || err != nil:
			return n, err
		case bytes.Contains(buf[:n], []byte(`"return"`)), bytes.Contains(buf[:n], []byte(`"error"`)):
			w.Close()
			return 0, io.ErrUnexpectedEOF
		}
	}
}

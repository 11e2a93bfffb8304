package qmptest

import (
	"net"
	"sync"
)

// An outbox holds what must be written to a client, without a limit, as QEMU does.
type outbox struct {
	mu    sync.Mutex
	text  []byte
	ended bool
	left  int // bytes until the connection is cut; -1: it is not
	more  chan struct{}
}

func newOutbox() *outbox { return &outbox{left: -1, more: make(chan struct{}, 1)} }

func (o *outbox) write(text []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.ended {
		return
	}
	if o.left >= 0 {
		text = text[:min(len(text), o.left)]
		o.left -= len(text)
		o.ended = o.left == 0
	}
	o.text = append(o.text, text...)
	o.wake()
}

// limit makes the outbox close the connection after so many more bytes.
func (o *outbox) limit(bytes int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left = max(bytes, 0)
	o.ended = o.ended || o.left == 0
	o.wake()
}

// end makes the outbox close the connection after all is written.
func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.wake()
}

func (o *outbox) wake() {
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// drain writes to conn until the end, and closes it.
func (o *outbox) drain(conn net.Conn) {
	defer conn.Close()
	for range o.more {
		o.mu.Lock()
		text, ended := o.text, o.ended
		o.text = nil
		o.mu.Unlock()
		if len(text) > 0 {
			if _, err := conn.Write(text); err != nil {
				return
			}
		}
		if ended {
			return
		}
	}
}

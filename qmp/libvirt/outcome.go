package libvirt

import (
	"context"

	"github.com/goqapi/goqapi/internal/virrpc"
)

// An outcome is the outcome of a command that is sent.
type outcome struct {
	done chan struct{} // closed when the rest is set
	reply
	err    error // of libvirt, or of the connection
	unsent error // libvirt cannot have executed it
}

// send sends a command. then is called with the answer before anything that libvirt sends after it is handled,
// and must not wait.
func (s *stream) send(c *conn, text string, fds []int, then func(reply, error)) *outcome {
	o := &outcome{done: make(chan struct{})}
	s.mu.Lock()
	s.last = o
	s.mu.Unlock()
	procedure, args := s.request(text, len(fds) > 0)
	start := func() {
		err := c.start(virrpc.QEMU, procedure, args, fds, func(r reply, err error) {
			then(r, err)
			o.reply, o.err = r, err
			close(o.done)
		})
		if err != nil {
			then(nil, err)
			o.unsent = err
			close(o.done)
		}
	}
	if len(fds) > 0 {
		start() // the caller may close its files when we return
	} else {
		go start() // libvirt, or the way to it, may be slow
	}
	return o
}

// await waits for the outcome, and reports whether it has come.
func (o *outcome) await(ctx context.Context) bool {
	select {
	case <-o.done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-o.done: // at the same time
		return true
	default:
		return false
	}
}

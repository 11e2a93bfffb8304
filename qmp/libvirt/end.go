package libvirt

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/goqapi/goqapi/internal/virrpc"
)

// lifecycle handles a change of a domain's life.
func (h *Host) lifecycle(e virrpc.Lifecycle) {
	event := newLifecycleEvent(e)
	h.feed(event)
	if event.Lifecycle != LifecycleStopped {
		return
	}
	h.mu.Lock()
	h.stops++
	c, followed := h.conns[0].conn, len(h.streams[e.Domain.UUID]) > 0
	h.mu.Unlock()
	if c != nil && followed {
		h.wait.Go(func() { h.endStopped(c, e.Domain) })
	}
}

// endStopped ends the streams of a domain whose QEMU has ended. The event may be about an
// earlier QEMU of the same domain, so libvirt is asked. A stream ends unless libvirt answers that its
// QEMU runs: one that ends by mistake can be made again, one of a QEMU that is gone would never end.
func (h *Host) endStopped(c *conn, domain virrpc.Domain) {
	streams := h.streamsOf(domain.UUID)       // a later stream may be of a later QEMU than the answer
	now, err := lookup(h.ctx, c, domain.Name) // without a limit: an answer that is late is needed, too
	if _, lost := errors.AsType[*lostError](err); lost || h.ctx.Err() != nil {
		return // all streams end, for that reason
	}
	for _, s := range streams {
		if err != nil || now.UUID != domain.UUID || now.ID != s.domain.ID {
			s.awaitAnswer() // which libvirt sends from another thread than events
			s.mendShutdown()
			s.end(io.EOF)
		}
	}
}

// lastEventsTime is how long the last answer and the last events of a QEMU may take after libvirt has reported
// its end.
const lastEventsTime = 5 * time.Second

// awaitEnd ends the stream of a QEMU that is gone, after its last events: libvirt sends its answer from
// another thread than events, and can be faster with it. The event that the domain has stopped, which comes
// after all others, ends the stream.
func (s *stream) awaitEnd() {
	ctx, cancel := context.WithTimeout(s.ctx, lastEventsTime)
	defer cancel()
	<-ctx.Done()
	s.end(io.EOF)
}

// awaitAnswer waits until libvirt has answered the command that is in flight.
func (s *stream) awaitAnswer() {
	s.mu.Lock()
	last := s.last
	s.mu.Unlock()
	if last == nil {
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, lastEventsTime)
	defer cancel()
	last.await(ctx)
}

// When a QEMU quits, libvirt often loses what it has said last: the reply of quit and the event
// SHUTDOWN. QEMU does not read the end of the line that libvirt has sent it, "\r\n", when it closes the
// monitor, so the last of libvirt's reads fails with ECONNRESET, and then libvirt drops what the
// reads before it returned. A client of a socket gets both, so this package replaces them: the reply
// in execute, the event in mendShutdown.

// shutdown is the event of a QEMU that quits.
const shutdown = "SHUTDOWN"

// beginQuit returns the function that gets the answer to quit.
func (s *stream) beginQuit() func(reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gotShutdown = false // SHUTDOWN also comes when a guest shuts down, after which its QEMU can continue to run
	return s.quitAnswered
}

// quitAnswered notes the answer of quit.
func (s *stream) quitAnswered(r reply, err error) {
	quits := false
	if e, ok := err.(*Error); ok {
		quits = monitorLost(e)
	} else if err == nil {
		m, err := s.decode(r)
		quits = err == nil && m.find("return") != nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quitting = s.quitting || quits
}

// mendShutdown sends SHUTDOWN to the client if QEMU has ended because of this stream's quit, and libvirt has lost
// the event. The time of the event is not known.
func (s *stream) mendShutdown() {
	s.mu.Lock()
	lost := s.quitting && !s.gotShutdown
	s.mu.Unlock()
	if lost {
		e := virrpc.Event{Name: shutdown, Seconds: -1, Micros: 0}
		s.event(shutdown, eventText(e, []byte(`{"guest": false, "reason": "host-qmp-quit"}`)))
	}
}

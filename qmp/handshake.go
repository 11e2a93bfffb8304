package qmp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// maxGreeting is the size of the largest greeting that is decoded. QEMU's has 200 bytes.
// What comes before it may be larger: QEMU 5.2 first sends the replies that its previous
// client has not received.
const maxGreeting = 64 << 10

// A handshake is the progress of a session's greeting and negotiation.
type handshake struct {
	greeting chan []byte // gets the first greeting
	greeted  bool        // the greeting has come; only the reader uses it
	said     atomic.Pointer[Greeting]

	// Guarded by the session's mutex:
	ready        bool  // commands may be sent
	greetedAgain bool  // the server has greeted again before the session was ready
	unexpected   error // what came in place of a greeting, or of the negotiation's answer
}

// openQMP begins to read, and negotiates. It closes the session if it fails.
func (s *session) openQMP(ctx context.Context) error {
	go s.read()
	if !s.opts.handshake {
		return nil
	}
	if err := s.doHandshake(ctx); err != nil {
		s.fail(err)
		return fmt.Errorf("qmp: handshake: %w", err)
	}
	if s.opts.trace != nil {
		s.opts.trace.connected(s)
	}
	return nil
}

// doHandshake waits for the greeting, and negotiates.
func (s *session) doHandshake(ctx context.Context) error {
	if d := s.opts.handshakeTimeout; d > 0 && !s.starting {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, fmt.Errorf("no answer within %v", d))
		defer cancel()
	}
	select {
	case text := <-s.hello.greeting:
		g, err := parseGreeting(text)
		if err != nil {
			return err
		}
		s.hello.said.Store(&g)
		if s.opts.oob && !slices.Contains(g.Capabilities, "oob") {
			return errors.New("the server does not offer out-of-band execution")
		}
	case <-s.done:
		return s.closedBy()
	case <-ctx.Done():
		return s.unanswered("waiting for the greeting", contextError(ctx))
	}
	for again := range 4 {
		err := s.negotiate(ctx)
		if e, ok := err.(*Error); ok && again > 0 && e.Class == ClassCommandNotFound {
			err = nil // the server had negotiated already
		}
		if err != nil && ctx.Err() != nil {
			return s.unanswered("waiting for the answer to qmp_capabilities", contextError(ctx))
		}
		if err != nil || s.finishHandshake() {
			return err
		}
	}
	return errors.New("the server sent its greeting again after each negotiation")
}

// negotiate sends the command that ends the negotiation, and waits for its answer.
func (s *session) negotiate(ctx context.Context) error {
	c := s.conn()
	call, err := c.newCall(ctx, "qmp_capabilities", negotiate)
	if err != nil {
		return err
	}
	if s.opts.oob {
		call.s.Buf.WriteString(`,"arguments":{"enable":["oob"]}`)
	}
	return c.complete(ctx, call, nil)
}

// finishHandshake makes the session ready for commands and returns true. If the server has greeted
// again, the negotiation may have been lost: then finishHandshake returns false, and the caller
// negotiates again.
func (s *session) finishHandshake() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hello.greetedAgain {
		s.hello.greetedAgain = false
		return false
	}
	s.hello.ready = true
	s.kickLocked()
	return true
}

// unanswered adds the possible reasons to err, the error of a wait without an answer.
func (s *session) unanswered(doing string, err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err = fmt.Errorf("%s: %w; another client may be connected to this server, or it is still starting, or it is not a QMP server", doing, err)
	if s.hello.unexpected != nil {
		err = fmt.Errorf("%w; before that: %w", err, s.hello.unexpected)
	}
	return err
}

// greet handles the greeting, which begins the handshake. A QEMU may greet
// twice if the client connects while it starts; then the client negotiates again.
func (s *session) greet(m *wire.Message) error {
	if len(m.Members[wire.Greeting]) > maxGreeting {
		return fmt.Errorf("the greeting is larger than the limit of %d bytes", maxGreeting)
	}
	if !s.hello.greeted {
		s.hello.greeted = true
		s.hello.greeting <- bytes.Clone(m.Members[wire.Greeting])
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hello.ready && s.opts.handshake {
		return errors.New("the server greets again: it was restarted")
	}
	s.hello.greetedAgain = true
	return nil
}

func parseGreeting(text []byte) (Greeting, error) {
	sent, err := wire.ReadGreeting(text)
	if err != nil {
		return Greeting{}, fmt.Errorf("greeting: %w", wire.JSONError(err))
	}
	q := sent.Version.QEMU
	g := Greeting{Version{int(q.Major), int(q.Minor), int(q.Micro), sent.Version.Package}, sent.Capabilities}
	return g, nil
}

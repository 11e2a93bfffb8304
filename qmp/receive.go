package qmp

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// read reads and handles what the server sends until the end. It waits only for the
// server, and never runs users' code.
func (s *session) read() {
	for {
		m, err := s.in.Next()
		switch {
		case err == nil:
			err = s.receive(m)
		case !errors.Is(err, wire.ErrTooLarge):
			if s.opts.ended != nil {
				err = s.opts.ended(err, s.done)
			}
			err = &peerError{err}
		}
		if err != nil {
			s.fail(err)
			return
		}
	}
}

// receive handles a message, or bytes that are not one. An error ends the session.
func (s *session) receive(m *wire.Message) error {
	switch {
	case s.agent != nil && s.agent.stale(m):
	case m.Unsure:
		s.damaged(errors.New("the end of a message from the server is missing"))
	case m.Garbage != nil:
		s.garbage(m.Garbage)
	case m.Members[wire.Greeting] != nil:
		return s.greet(m)
	case !s.hello.greeted:
		s.report.add(fmt.Errorf("qmp: a message before the greeting: %.100q", m.Text))
	case m.Members[wire.Event] != nil:
		s.event(m)
	default:
		return s.reply(m)
	}
	return nil
}

// reply passes an answer to the call that it belongs to.
func (s *session) reply(m *wire.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.ByEnds && !s.conclusiveLocked(m) {
		s.mu.Unlock() // scanning may take long
		whole := m.Scan()
		s.mu.Lock()
		if !whole {
			s.garbageLocked(fmt.Errorf("%d bytes from the server are not a message: %.80q", len(m.Text), m.Text))
			return nil
		}
	}
	if s.err != nil {
		return nil
	}
	c := s.flight.find(m)
	if c == nil || c.mode != whole && !m.IsReply() {
		return s.unclaimedLocked(m)
	}
	if s.agent == nil { // with an agent, the answer to a synchronisation sets proven
		s.flight.proven = true
	}
	if c.number == 0 && m.Members[wire.Error] != nil && m.Members[wire.ID] == nil {
		s.recoverLocked(nil) // the server could not parse the request, and may send more such errors
	}
	s.settleLocked(c)
	s.flight.remove(c)
	switch c.state {
	case abandoned:
		s.late.Add(1)
	case sent:
		s.answerLocked(c, m)
	}
	s.kickLocked()
	return nil
}

// conclusiveLocked reports whether it is certain which call m answers, although only the
// beginning and the end of m were read: an id is known only if it is the last member.
func (s *session) conclusiveLocked(m *wire.Message) bool {
	if m.Members[wire.ID] != nil {
		c := s.flight.numbers.get(ownNumber(m.Members[wire.ID]))
		return c != nil && c.watch == nil
	}
	return s.flight.onlyUnnumbered() && s.flight.unnumbered.watch == nil
}

// answerLocked finishes c with the answer m.
func (s *session) answerLocked(c *call, m *wire.Message) {
	part := m.Members[wire.Return]
	if m.Members[wire.Error] != nil {
		part, c.refused = m.Members[wire.Error], true
	}
	text := part
	switch {
	case c.mode == whole:
		if c.relay != nil && c.refused {
			c.err = c.relayError(part)
		}
		text, part, c.refused = m.Text, m.Text, false
	case m.ByEnds:
		text = m.Text
	}
	if c.watch != nil {
		c.watch.answered(part)
	}
	if len(text) < wire.ReadSize {
		c.s.Buf.Reset()
		c.s.Buf.Write(text)
		text = c.s.Buf.Bytes()
	} else {
		text, c.buffer = s.in.Take(text)
	}
	c.answer = text
	if m.ByEnds {
		c.line, c.answer = text, text[wire.ReturnAt:wire.ReturnAt+len(part)]
	}
	s.finishLocked(c)
}

// unclaimedLocked handles an answer that belongs to no call.
func (s *session) unclaimedLocked(m *wire.Message) error {
	switch {
	case !m.IsReply():
		s.garbageLocked(fmt.Errorf("a message from the server that is neither an answer nor an event: %.100q", m.Text))
	case !s.flight.proven && s.agent != nil: // after a synchronisation such answers are normal
	case !s.flight.proven:
		err := fmt.Errorf("%s belongs to an earlier client of this server", m.Describe())
		s.hello.unexpected = err
		s.report.add(fmt.Errorf("qmp: %w", err))
		if s.hello.ready && m.Members[wire.Error] != nil && m.Members[wire.ID] == nil { // it may also be for our first command, which the server could not parse
			s.recoverLocked(&lostReply{refusal: bytes.Clone(m.Members[wire.Error])})
		}
	case m.Members[wire.Error] != nil && m.Members[wire.ID] == nil && s.flight.total > 0: // servers send it for a request that they cannot parse
		s.recoverLocked(&lostReply{refusal: bytes.Clone(m.Members[wire.Error])})
	case s.recovery.on:
		s.report.add(fmt.Errorf("qmp: %s answers no command", m.Describe()))
	default:
		return fmt.Errorf("the server's replies do not fit the commands: %s answers none of the %d in flight", m.Describe(), s.flight.total)
	}
	return nil
}

// garbage handles bytes that are not a message. There may have been a reply in them.
func (s *session) garbage(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.garbageLocked(err)
}

func (s *session) garbageLocked(err error) {
	s.report.add(fmt.Errorf("qmp: %w", err))
	if !s.hello.ready {
		s.hello.unexpected = err
	}
	s.recoverLocked(&lostReply{err: err})
}

// damaged is called when a reply may have been lost: a call got bytes that are not
// JSON, which may contain the reply to another call; or the end of a message is missing,
// and may still come.
func (s *session) damaged(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.recoverLocked(&lostReply{err: err})
}

// contradicted closes the session. It is called when decoding finds the id of another call in
// the reply that was given to c after only its beginning and its end were read.
func (s *session) contradicted(c *call, id []byte) error {
	err := fmt.Errorf("the server's replies do not fit the commands: the reply to %s has the id %.40q", c.command, id)
	s.fail(err)
	return err
}

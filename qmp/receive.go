package qmp

import (
	"bytes"
	"errors"
	"fmt"
)

// read reads and handles what the server sends until the end. It waits only for the
// server, and never runs users' code.
func (l *link) read() {
	for {
		m, err := l.in.next()
		switch {
		case err == nil:
			err = l.receive(m)
		case !errors.Is(err, errTooLarge):
			if l.opts.ended != nil {
				err = l.opts.ended(err, l.done)
			}
			err = &peerError{err}
		}
		if err != nil {
			l.fail(err)
			return
		}
	}
}

// receive handles a message, or bytes that are not one. An error ends the link.
func (l *link) receive(m *message) error {
	switch {
	case l.agent != nil && l.agent.stale(m):
	case m.unsure:
		l.damaged(errors.New("the end of a message from the server is missing"))
	case m.spoilt != nil:
		l.garbage(m.spoilt)
	case m.has(memberQMP):
		return l.greet(m)
	case !l.hello.greeted:
		l.report.add(fmt.Errorf("qmp: a message before the greeting: %.100q", m.text))
	case m.has(memberEvent):
		l.event(m)
	default:
		return l.reply(m)
	}
	return nil
}

// reply passes an answer to the call it belongs to.
func (l *link) reply(m *message) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.byEnds && !l.conclusiveLocked(m) {
		l.mu.Unlock() // it may be long
		whole := m.scan()
		l.mu.Lock()
		if !whole {
			l.garbageLocked(fmt.Errorf("%d bytes from the server are not a message: %.80q", len(m.text), m.text))
			return nil
		}
	}
	if l.err != nil {
		return nil
	}
	c := l.flight.find(m)
	if c == nil || c.mode != whole && !m.isReply() {
		return l.unclaimedLocked(m)
	}
	if l.agent == nil { // for an agent, the answer to a synchronisation sets it
		l.flight.proven = true
	}
	if c.number == 0 && m.has(memberError) && !m.has(memberID) {
		l.recoverLocked(nil) // the server could not parse the request, and may send more such errors
	}
	l.settleLocked(c)
	l.flight.remove(c)
	switch c.state {
	case abandoned:
		l.late.Add(1)
	case sent:
		l.answerLocked(c, m)
	}
	l.kickLocked()
	return nil
}

// conclusiveLocked reports whether m, of which only the beginning and the end were read,
// shows which call it answers. An id is known only if it is the last member.
func (l *link) conclusiveLocked(m *message) bool {
	if m.has(memberID) {
		c := l.flight.numbers.get(ownNumber(m.members[memberID]))
		return c != nil && c.watch == nil
	}
	return l.flight.onlyUnnumbered() && l.flight.unnumbered.watch == nil
}

// answerLocked finishes c with the answer m.
func (l *link) answerLocked(c *call, m *message) {
	part := m.members[memberReturn]
	if m.has(memberError) {
		part, c.refused = m.members[memberError], true
	}
	text := part
	switch {
	case c.mode == whole:
		if c.relay != nil && c.refused {
			c.err = c.relay.own(c.command, part)
		}
		text, part, c.refused = m.text, m.text, false
	case m.byEnds:
		text = m.text
	}
	if c.watch != nil {
		c.watch.answered(part)
	}
	if len(text) < readSize {
		c.s.buf.Reset()
		c.s.buf.Write(text)
		text = c.s.buf.Bytes()
	} else {
		text, c.buffer = l.in.take(text)
	}
	c.answer = text
	if m.byEnds {
		c.line, c.answer = text, text[len(returnBegins):len(returnBegins)+len(part)]
	}
	l.finishLocked(c)
}

// unclaimedLocked handles an answer that belongs to no call.
func (l *link) unclaimedLocked(m *message) error {
	switch {
	case !m.isReply():
		l.garbageLocked(fmt.Errorf("a message from the server that is neither an answer nor an event: %.100q", m.text))
	case !l.flight.proven && l.agent != nil: // after a synchronisation such answers are normal
	case !l.flight.proven:
		err := fmt.Errorf("%s belongs to an earlier client of this server", m.describe())
		l.hello.before = err
		l.report.add(fmt.Errorf("qmp: %w", err))
		if l.hello.ready && m.has(memberError) && !m.has(memberID) { // or it answers the first command, which could not be parsed
			l.recoverLocked(&lostReply{refusal: bytes.Clone(m.members[memberError])})
		}
	case m.has(memberError) && !m.has(memberID) && l.flight.total > 0: // as for a request that cannot be parsed
		l.recoverLocked(&lostReply{refusal: bytes.Clone(m.members[memberError])})
	case l.recovery.on:
		l.report.add(fmt.Errorf("qmp: %s answers no command", m.describe()))
	default:
		return fmt.Errorf("the server's replies do not fit the commands: %s answers none of the %d in flight", m.describe(), l.flight.total)
	}
	return nil
}

// garbage handles bytes that are not a message. There may have been a reply in them.
func (l *link) garbage(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.garbageLocked(err)
}

func (l *link) garbageLocked(err error) {
	l.report.add(fmt.Errorf("qmp: %w", err))
	if !l.hello.ready {
		l.hello.before = err
	}
	l.recoverLocked(&lostReply{err: err})
}

// damaged is called when a reply may have been lost: a call got bytes that are not
// JSON, and they may contain the reply to another call; or the end of a message is missing,
// and may still come.
func (l *link) damaged(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recoverLocked(&lostReply{err: err})
}

// contradicted closes the link. It is called when decoding finds the id of another call in
// the reply that was given to c after only its beginning and its end were read.
func (l *link) contradicted(c *call, id []byte) error {
	err := fmt.Errorf("the server's replies do not fit the commands: the reply to %s has the id %.40q", c.command, id)
	l.fail(err)
	return err
}

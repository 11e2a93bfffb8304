package qmp

import (
	"bytes"
	"errors"
	"fmt"
)

// greet takes the greeting, which opens the handshake. A QEMU that is connected to
// while it starts may greet twice, and be back before the negotiation then.
func (l *link) greet(m *message) {
	if !l.greeted {
		l.greeted = true
		l.greeting <- bytes.Clone(m.members[memberQMP])
		return
	}
	l.mu.Lock()
	restarted := l.ready && l.opts.handshake
	l.regreeted = !restarted
	l.mu.Unlock()
	if restarted {
		l.fail(errors.New("the server greets again: it was restarted"))
	}
}

// read takes what the server sends until the end. It waits for nothing but the
// server, and runs nobody's code.
func (l *link) read() {
	for {
		m, err := l.in.next()
		if err != nil {
			l.fail(err)
			return
		}
		switch {
		case l.agent != nil && l.agent.stale(l, m):
		case m.unsure:
			l.damaged(errors.New("its end is missing"))
		case m.spoilt != nil:
			l.spoilt(m)
		case m.has(memberQMP):
			l.greet(m)
		case !l.greeted:
			l.report.add(fmt.Errorf("qmp: a message before the greeting: %.100q", m.text))
		case m.has(memberEvent):
			l.event(m)
		default:
			l.reply(m)
		}
	}
}

// reply gives an answer to the call it belongs to.
func (l *link) reply(m *message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return
	}
	c := l.claimLocked(m)
	if c == nil {
		l.unclaimedLocked(m)
		return
	}
	switch {
	case c.mode == whole && m.has(memberError) && !m.has(memberID):
		l.doubt = l.order // the first of several, perhaps
	case c.number != 0 && !c.oob && c.order > l.doubt:
		l.doubt = 0
	}
	l.overtakenLocked(c)
	l.offWireLocked(c)
	if c.mode == probe {
		l.probing = false
	}
	switch c.state {
	case abandoned:
		l.late.Add(1)
	case sent:
		if c.mode != probe {
			l.unread--
		}
		l.answerLocked(c, m)
	}
	l.kickLocked()
}

// claimLocked finds the call that m answers.
func (l *link) claimLocked(m *message) *call {
	c := l.ids.get(ownNumber(m.members[memberID]))
	if c == nil && l.bare != nil && (l.bare.mode == whole || !m.has(memberID)) {
		c = l.bare
	}
	if c != nil && c.mode != whole && !m.has(memberReturn) && !m.has(memberError) {
		return nil
	}
	return c
}

// answerLocked finishes c with what m says.
func (l *link) answerLocked(c *call, m *message) {
	part := m.members[memberReturn]
	if m.has(memberError) {
		part, c.refused = m.members[memberError], true
	}
	if c.mode == whole {
		part, c.refused = m.text, false
	}
	if c.watch != nil {
		c.watch.answered(part)
	}
	if len(part) < readSize {
		c.s.buf.Reset()
		c.s.buf.Write(part)
		c.answer = c.s.buf.Bytes()
	} else {
		c.answer, c.buffer = l.in.take(part)
	}
	l.finishLocked(c)
}

// unclaimedLocked deals with an answer to no call. An error without an id is what
// a server says to a request that it cannot parse, and anything else is not what
// it was when it was sent: if calls wait, one of them will get no other.
func (l *link) unclaimedLocked(m *message) {
	err := fmt.Errorf("an answer that belongs to no call: %.100q", m.text)
	switch {
	case l.unread == 0:
	case m.has(memberError) && !m.has(memberID):
		l.orphanLocked(&call{answer: bytes.Clone(m.members[memberError]), refused: true})
		return
	default:
		l.orphanLocked(&call{err: fmt.Errorf("the reply is lost: %w", err)})
	}
	l.report.add(fmt.Errorf("qmp: %w", err))
}

// spoilt deals with bytes that may have been an answer.
func (l *link) spoilt(m *message) {
	l.report.add(fmt.Errorf("qmp: %w", m.spoilt))
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.greeted {
		l.junk = m.spoilt
	} else if l.unread > 0 {
		l.orphanLocked(&call{err: fmt.Errorf("the reply is lost: %w", m.spoilt)})
	}
}

// damaged is for when a reply may have been lost, without being sure: a probe will
// tell. It was part of another, perhaps, which its caller found to be no JSON; or it
// is still to come, and no call after that one may be sent without a number.
func (l *link) damaged(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doubt = l.order
	if l.unread > 0 {
		l.orphanLocked(&call{err: fmt.Errorf("the reply is lost: %w", err)})
	}
}

// orphanLocked holds an answer whose call is not known. Servers answer in order:
// when a later command has its reply, those before it get none. To have a later
// one, a probe is sent: a command that changes nothing and is always answered.
func (l *link) orphanLocked(answer *call) {
	if l.orphan == nil {
		l.orphan = answer
	}
	if l.probing || !l.ready {
		return
	}
	s, err := encodeCommand("execute", "qmp_capabilities", nil)
	if err != nil {
		return
	}
	l.probing, l.doubt = true, l.order
	l.queue.pushFirst(l.newCall("qmp_capabilities", probe, s))
	l.kickLocked()
}

// overtakenLocked finishes the calls that were sent before c and so can expect no
// answer any more, if there is an orphan to explain it. An out-of-band reply
// says nothing of the others; the probe's will.
func (l *link) overtakenLocked(c *call) {
	if l.orphan == nil || c.oob {
		return
	}
	answer := l.orphan
	l.orphan = nil
	lose := func(o *call) {
		if o == nil || o.order >= c.order {
			return
		}
		l.offWireLocked(o)
		if o.mode == probe {
			l.probing = false
		}
		if o.state == sent && o.mode != probe {
			l.unread--
			if o.answer, o.refused = answer.answer, answer.refused; !o.refused {
				o.err = fmt.Errorf("qmp: %s: %w", o.command, answer.err)
			}
			l.finishLocked(o)
		}
	}
	for _, o := range l.ids.calls {
		lose(o)
	}
	lose(l.bare)
}

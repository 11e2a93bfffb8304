package qmp

import "fmt"

// maxProbes is how many probes may be with the server at a time: one more than the
// first, as its reply may be lost like others.
const maxProbes = 2

// A recovery is what a link does when a reply may have been lost, or one too many
// may come. Servers answer in order: when a later command has its reply, those before
// it get none. To have a later one a probe is sent, a command that changes nothing and
// is always answered. Until then every command has a number, and what answers none of
// them is reported and passed over.
//
// It is guarded by the link's mutex.
type recovery struct {
	on     bool
	since  uint64 // the last call sent when it began, or began anew
	lost   *lost  // what those calls get that turn out to have no answer; nil: nothing was lost
	queued int    // probes that have not been sent
}

// A lost is what a call gets whose own reply is lost.
type lost struct {
	refusal []byte // an error member that came without an id, as it does when a server cannot parse a command
	err     error  // or what came instead of a reply
}

// doubtLocked is for when a reply may have been lost, or part of one may be still to
// come: what says what a call gets that has lost it, nil if there can be none.
func (l *link) doubtLocked(what *lost) {
	r := &l.recovery
	r.since, r.on = l.flight.order, true
	if what == nil || l.flight.total+l.flight.probes == 0 {
		return
	}
	if r.lost == nil {
		r.lost = what
	}
	if what.refusal == nil || l.flight.probes+r.queued == 0 { // refusals come in bursts
		l.queueProbeLocked()
		l.kickLocked()
	}
}

// queueProbeLocked has a probe sent before all that waits.
func (l *link) queueProbeLocked() {
	if l.flight.probes+l.recovery.queued >= maxProbes || !l.hello.ready || l.flight.alone {
		return
	}
	command := "qmp_capabilities"
	if !l.opts.handshake {
		command = "query-version" // not to negotiate behind the user's back
	}
	s, err := encodeCommand("execute", command, nil)
	if err != nil {
		return
	}
	l.recovery.queued++
	l.queue.pushFirst(l.newCall(command, probe, s))
}

// settleLocked finishes the calls that were sent before c, which has its reply, and so
// can expect none any more, if something was lost. An out-of-band reply says nothing of
// the others.
func (l *link) settleLocked(c *call) {
	r := &l.recovery
	if !r.on || c.oob {
		return
	}
	if r.lost != nil {
		for _, o := range l.flight.before(c.order) {
			l.flight.remove(o)
			if o.state == sent && o.mode != probe {
				l.loseReplyLocked(o, r.lost)
			}
		}
	}
	if c.number != 0 && c.order > r.since {
		r.on, r.lost = false, nil
	}
}

// loseReplyLocked finishes a call whose reply is lost.
func (l *link) loseReplyLocked(c *call, what *lost) {
	if what.refusal != nil {
		c.answer, c.refused = what.refusal, true
	} else {
		c.err = fmt.Errorf("qmp: %s: the reply is lost: %w", c.command, what.err)
	}
	l.finishLocked(c)
}

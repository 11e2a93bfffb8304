package qmp

import (
	"fmt"

	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// maxProbes is how many probes may be in flight at a time: a second one, since the reply
// to the first may be lost as well.
const maxProbes = 2

// A session begins a recovery when a reply may have been lost, or an unexpected reply may
// come. Servers answer in order: after the reply to a later command, no reply to an
// earlier command can come. To make sure that there is a later command, a probe is sent: a
// command that changes nothing and is always answered. Until a later command is answered,
// every command has a number, and replies that answer none of them are reported and dropped.
//
// It is guarded by the session's mutex.
type recovery struct {
	on     bool
	since  uint64     // the order of the last call that was sent before the recovery began, or began again
	lost   *lostReply // the outcome of calls that turn out to have no answer; nil: nothing was lost
	queued int        // probes that have not been sent yet
}

// A lostReply is the outcome of a call whose reply is lost.
type lostReply struct {
	refusal []byte // an error member without an id, which a server sends when it cannot parse a command
	err     error  // otherwise an error that describes what came in place of a reply
}

// recoverLocked begins a recovery: a reply may have been lost, or part of one may still
// come. If a reply may have been lost, its call ends with the given outcome; nil: none was lost.
func (s *session) recoverLocked(outcome *lostReply) {
	r := &s.recovery
	r.since, r.on = s.flight.order, true
	if outcome == nil || s.flight.total+s.flight.probes == 0 {
		return
	}
	if r.lost == nil {
		r.lost = outcome
	}
	if outcome.refusal == nil || s.flight.probes+r.queued == 0 { // one broken request can cause many refusals: one probe is enough
		s.queueProbeLocked()
		s.kickLocked()
	}
}

// queueProbeLocked queues a probe before all calls that wait.
func (s *session) queueProbeLocked() {
	if s.flight.probes+s.recovery.queued >= maxProbes || !s.hello.ready || s.flight.withoutIDs {
		return
	}
	command := "qmp_capabilities"
	if !s.opts.handshake {
		command = "query-version" // without a handshake of ours, only the user negotiates
	}
	request, err := wire.Command("execute", command)
	if err != nil {
		return
	}
	s.recovery.queued++
	s.queue.pushFirst(s.newCall(command, probe, request))
}

// settleLocked finishes the calls that were sent before c, if a reply was lost: c has its
// reply, so theirs cannot come any more. An out-of-band reply does not show that.
func (s *session) settleLocked(c *call) {
	r := &s.recovery
	if !r.on || c.oob {
		return
	}
	if r.lost != nil {
		for _, o := range s.flight.before(c.order) {
			s.flight.remove(o)
			if o.state == sent && o.mode != probe {
				s.loseReplyLocked(o, r.lost)
			}
		}
	}
	if c.number != 0 && c.order > r.since {
		r.on, r.lost = false, nil
	}
}

// loseReplyLocked finishes a call whose reply is lost.
func (s *session) loseReplyLocked(c *call, outcome *lostReply) {
	if outcome.refusal != nil {
		c.answer, c.refused = outcome.refusal, true
	} else {
		c.err = fmt.Errorf("qmp: %s: the reply is lost: %w", c.command, outcome.err)
	}
	s.finishLocked(c)
}

package qmp

import (
	"math/rand/v2"

	"github.com/goqapi/goqapi/qmp/internal/wire"
)

const (
	// maxInFlight is how many commands may be in flight at a time, abandoned ones
	// included. QEMU executes one at a time. After a stall it executes all
	// commands that it has been sent, even if nobody waits for the replies any more: so only a
	// few are sent.
	maxInFlight = 32
	// maxInband is how many in-band commands may be in flight when out-of-band execution is
	// on. With more in its queue QEMU stops reading, and does not receive an out-of-band
	// command.
	maxInband = 7
	// maxUnnumbered is how many commands in a row may be sent without a number. If the
	// server sends one reply too many, each of these commands is given the reply to the
	// command before it; the next command with a number detects that.
	maxUnnumbered = 63
)

// An inFlight holds the commands that were sent and have no answer yet, and finds the one
// that a reply answers. It is guarded by the session's mutex.
type inFlight struct {
	numbers     numbers
	unnumbered  *call  // the one that was sent without a number
	order       uint64 // of the call sent last
	total       int    // all calls except probes
	awaited     int    // calls that somebody waits for
	inband      int    // calls that are not out-of-band, probes included
	probes      int
	exclusive   bool // a command has files, and out-of-band execution is on: no other may be in flight
	sinceNumber int  // how many commands were sent since the last one with a number

	// proven is true when one of our commands has been answered. Until then a reply may
	// be meant for an earlier client of the server, so commands have numbers that no
	// other client can have used.
	proven bool

	// withoutIDs is true if the server does not send ids back, as the answer to a
	// synchronisation has shown: then one command is in flight at a time, without a number.
	withoutIDs bool

	single bool // one command is in flight at a time
}

func newInFlight() inFlight {
	return inFlight{numbers: numbers{base: 1<<52 + rand.Int64N(1<<52)}}
}

// admits reports whether c may be in flight together with what is in flight already. oob
// is true if out-of-band execution was negotiated.
func (f *inFlight) admits(c *call, oob bool) bool {
	switch {
	case c.mode == probe:
		return true
	case f.total >= maxInFlight || (f.withoutIDs || f.single) && f.total+f.probes > 0:
		return false
	case c.oob: // it has a number, and overtakes the others
		return true
	case oob && (f.exclusive || f.inband >= maxInband || len(c.files) > 0 && f.inband > 0):
		return false
	case f.unnumbered != nil && f.unnumbered.mode == whole && f.unnumbered.state != abandoned:
		return false // the next message that is not an event is its answer
	case c.mode == whole:
		return f.proven && f.awaited == 0 && f.unnumbered == nil && f.probes == 0 && f.numbers.get(c.wholeID) == nil
	}
	return true
}

// needsNumber reports whether c has to be sent with a number. QEMU parses requests slowly,
// byte by byte, so a number is left out where that is possible: then the next reply must be
// the reply to c. If always is set, every command needs a number.
func (f *inFlight) needsNumber(c *call, always bool) bool {
	if c.mode == whole || f.withoutIDs {
		return false
	}
	return always || c.mode != plain || c.oob || c.eager || !f.proven || f.total+f.probes > 0 || f.sinceNumber >= maxUnnumbered
}

// needsProbe reports whether a probe, which has a number, must be sent before a whole
// message, which has none.
func (f *inFlight) needsProbe() bool {
	return f.total+f.probes == 0 && (!f.proven || f.sinceNumber >= maxUnnumbered && !f.withoutIDs)
}

// add adds c, which is being sent now, with a number or without.
func (f *inFlight) add(c *call, numbered, oob bool) {
	f.order++
	c.order = f.order
	if numbered {
		wholeID := int64(0)
		if f.unnumbered != nil {
			wholeID = f.unnumbered.wholeID
		}
		f.numbers.add(c, wholeID, !f.proven || c.mode == negotiate || c.mode == probe || c.eager)
		f.sinceNumber = 0
	} else {
		f.unnumbered = c
		f.sinceNumber++
	}
	if c.mode == probe {
		f.probes++
	} else {
		f.total++
		f.awaited++
	}
	if !c.oob {
		f.inband++
	}
	if len(c.files) > 0 {
		f.exclusive = oob
	}
}

// find returns the call that m answers.
func (f *inFlight) find(m *wire.Message) *call {
	if c := f.numbers.get(ownNumber(m.Members[wire.ID])); c != nil {
		return c
	}
	if c := f.unnumbered; c != nil && (c.mode == whole || m.Members[wire.ID] == nil) {
		return c
	}
	return nil
}

// onlyUnnumbered reports whether the only call in flight is one without a number, so that
// a reply without an id must be its answer.
func (f *inFlight) onlyUnnumbered() bool {
	return f.unnumbered != nil && f.unnumbered.mode != whole && f.numbers.used == 0
}

// remove removes a call that was sent and that will get no further answer.
func (f *inFlight) remove(c *call) {
	if c.number != 0 {
		f.numbers.remove(c)
	} else {
		f.unnumbered = nil
	}
	if c.mode == probe {
		f.probes--
	} else {
		f.total--
	}
	if c.state == sent && c.mode != probe {
		f.awaited--
	}
	if !c.oob {
		f.inband--
	}
	if len(c.files) > 0 {
		f.exclusive = false
	}
}

// abandon notes that nobody waits for a call any more. The call stays in flight.
func (f *inFlight) abandon() { f.awaited-- }

// before returns the calls that were sent before the one with this order.
func (f *inFlight) before(order uint64) []*call {
	var calls []*call
	for _, c := range f.numbers.calls {
		if c != nil && c.order < order {
			calls = append(calls, c)
		}
	}
	if c := f.unnumbered; c != nil && c.order < order {
		calls = append(calls, c)
	}
	return calls
}

// all returns all calls in flight.
func (f *inFlight) all() []*call { return f.before(f.order + 1) }

// numbers has the calls in flight by their numbers: the call with the number 1 is calls[0].
type numbers struct {
	calls []*call
	used  int
	base  int64 // is added to make an id that no other client can have used
}

// add gives c the smallest free number that is not except. If unique is set, base is added to
// the number, so that no other client can have used the id.
func (n *numbers) add(c *call, except int64, unique bool) {
	i := 0
	for i < len(n.calls) && n.calls[i] != nil || int64(i)+1 == except {
		i++
	}
	for i >= len(n.calls) {
		n.calls = append(n.calls, nil)
	}
	n.calls[i] = c
	n.used++
	c.number = int64(i) + 1
	if unique {
		c.number += n.base
	}
}

// slot returns the index in calls for a number. There may be no such call.
func (n *numbers) slot(number int64) int64 {
	if number > n.base {
		number -= n.base
	}
	return number - 1
}

func (n *numbers) get(number int64) *call {
	i := n.slot(number)
	if i < 0 || i >= int64(len(n.calls)) || n.calls[i] == nil || n.calls[i].number != number {
		return nil
	}
	return n.calls[i]
}

func (n *numbers) remove(c *call) {
	n.calls[n.slot(c.number)] = nil
	n.used--
}

// ownNumber returns the number in an id member, 0 if it is not a number that this client could have sent.
func ownNumber(id []byte) int64 {
	if len(id) == 0 || len(id) > 17 || id[0] == '0' {
		return 0
	}
	var n int64
	for _, c := range id {
		if c < '0' || c > '9' {
			return 0
		}
		n = 10*n + int64(c-'0')
	}
	return n
}

package qmp

import "os"

// A call is one message on its way to the server and its answer on the way back.
// Its fields are guarded by the link's mutex until it is answered, then they are
// the caller's.
type call struct {
	command string
	mode    callMode
	state   callState
	oob     bool
	files   []*os.File // that go with it
	passing *passing
	s       *scratch // the request; then the answer, if it is small
	number  int      // the id it was sent with, 0 for none
	order   uint64   // counts what is sent
	taken   int      // the number that a whole message has as its id, or 0

	answer  []byte // the return or error member; the whole text for a whole message
	buffer  []byte // the read buffer that answer lies in, if that is the call's
	refused bool   // answer is an error member
	err     error  // there is no answer

	watch callTrace     // nil: nobody watches it
	done  chan struct{} // gets one value when the call is finished
	then  *callback     // or this is run

	prev, next *call // in a callList
}

type callMode uint8

const (
	plain   callMode = iota
	noReply          // success is silent, or the server's end
	whole            // a message that the user built; alone on the wire
	probe            // our own, for its reply's place among the others
)

type callState uint8

const (
	fresh callState = iota
	queued
	sent      // or being written
	abandoned // sent, but nobody waits
	finished
)

// outcome is the answer of a finished call, or the error there is instead.
func (c *call) outcome() ([]byte, error) {
	switch {
	case c.err != nil:
		return nil, c.err
	case c.refused:
		return nil, refusal(c.command, c.answer)
	}
	return c.answer, nil
}

// traceSent tells who watches c what it was sent as.
func (c *call) traceSent(request []byte) {
	if c.watch != nil {
		c.watch.sent(c.number, c.oob, request)
	}
}

// A callList is a queue of calls from the middle of which they can be taken.
type callList struct{ first, last *call }

func (q *callList) push(c *call) {
	c.prev, c.next = q.last, nil
	if q.last == nil {
		q.first = c
	} else {
		q.last.next = c
	}
	q.last = c
}

func (q *callList) pushFirst(c *call) {
	c.prev, c.next = nil, q.first
	if q.first == nil {
		q.last = c
	} else {
		q.first.prev = c
	}
	q.first = c
}

func (q *callList) remove(c *call) {
	if c.prev == nil {
		q.first = c.next
	} else {
		c.prev.next = c.next
	}
	if c.next == nil {
		q.last = c.prev
	} else {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}

// numbers are the ids in use, each with its call: 1 is calls[0].
type numbers struct {
	calls []*call
	used  int
	low   int // all before calls[low] are in use
}

// add gives c the smallest free number but for one, which may be 0.
func (n *numbers) add(c *call, but int) {
	i := n.low
	for i < len(n.calls) && (n.calls[i] != nil || i+1 == but) {
		i++
	}
	if i+1 == but { // at the end
		n.calls = append(n.calls, nil)
		i++
	}
	if i == len(n.calls) {
		n.calls = append(n.calls, nil)
	}
	if but == 0 || but > i {
		n.low = i + 1
	}
	n.calls[i] = c
	n.used++
	c.number = i + 1
}

func (n *numbers) get(number int) *call {
	if number < 1 || number > len(n.calls) {
		return nil
	}
	return n.calls[number-1]
}

func (n *numbers) remove(number int) {
	n.calls[number-1] = nil
	n.low = min(n.low, number-1)
	n.used--
	if n.used == 0 {
		n.low = 0
		if cap(n.calls) > 64 {
			n.calls = nil
		}
	}
}

// ownNumber is the number in an id member, 0 if it is none that we send.
func ownNumber(id []byte) int {
	if len(id) == 0 || len(id) > 9 || id[0] == '0' {
		return 0
	}
	n := 0
	for _, c := range id {
		if c < '0' || c > '9' {
			return 0
		}
		n = 10*n + int(c-'0')
	}
	return n
}

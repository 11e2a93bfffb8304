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
	eager   bool     // goes to an agent that has not answered yet
	s       *scratch // the request; then the answer, if it is small
	number  int64    // the id it was sent with, 0 for none
	order   uint64   // counts what is sent
	taken   int64    // the number that a whole message has as its id, or 0

	answer  []byte // the return or error member; the whole text for a whole message
	line    []byte // the reply that answer was found in by its two ends; nil: by scanning
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
	plain     callMode = iota
	noReply            // success is silent, or the server's end
	whole              // a message that the user built; alone on the wire
	negotiate          // our own, before all others
	probe              // our own, for its reply's place among the others
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

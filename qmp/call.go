package qmp

import (
	"os"

	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// A call is one message to the server, and its answer.
// Its fields are guarded by the session's mutex until it is answered; then they belong
// to the caller.
type call struct {
	command string
	mode    callMode
	state   callState
	oob     bool
	files   []*os.File    // to be passed with the message
	eager   bool          // is sent even to an agent that has not synchronised yet
	s       *wire.Scratch // the request; then the answer, if it is small
	number  int64         // the id it was sent with, 0 for none
	order   uint64        // its place among all calls that were sent
	end     int64         // the end of the request, counted in bytes from the beginning of the stream
	wholeID int64         // the id of a whole message, if it is a number: no other call in flight may use it; otherwise 0

	answer  []byte // the return or error member; the whole text for a whole message
	line    []byte // the whole reply, if only its beginning and its end were read to find answer; otherwise nil
	buffer  []byte // the read buffer that answer lies in, if the call owns it
	refused bool   // answer is an error member
	err     error  // why there is no answer

	relay Relay         // the session's; nil: its stream is not a Relay
	watch *watcher      // nil: nobody watches it
	done  chan struct{} // gets one value when the call is finished
	then  *callback     // if set, is run when the call is finished, and done gets nothing

	prev, next *call // in a callList
}

type callMode uint8

const (
	plain     callMode = iota
	noReply            // on success the server sends no reply, or closes the connection
	whole              // a message that the user built; nothing else is in flight with it
	negotiate          // the connection's own, before all others
	probe              // the connection's own: after its reply no replies to earlier commands come
)

type callState uint8

const (
	fresh callState = iota
	queued
	sent      // or being written
	abandoned // sent, but nobody waits
	finished
)

// outcome returns the answer of a finished call, or its error.
func (c *call) outcome() ([]byte, error) {
	switch {
	case c.err != nil:
		return nil, c.err
	case c.refused:
		return nil, refusalBy(c.relay, c.command, c.answer)
	}
	return c.answer, nil
}

// traceSent reports to the trace of c, if there is one, that request was sent.
func (c *call) traceSent(request []byte) {
	if c.watch != nil {
		c.watch.sent(c.number, c.oob, request)
	}
}

// A callList is a queue of calls. A call can also be removed from its middle.
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

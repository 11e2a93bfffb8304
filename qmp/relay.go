package qmp

import (
	"fmt"
	"io"
)

// A Relay is a stream to a server that another program owns, which passes commands on and answers some of them
// itself, as libvirt does; see package qmp/libvirt. A connection whose stream is one sends
// each command alone, when the one before it has been answered.
type Relay interface {
	io.ReadWriteCloser // Close must not wait

	// WriteFiles is Write for a command that has files. The descriptors are closed when it has
	// returned. An error ends the connection; a relay that cannot pass files answers the
	// command with an error reply.
	WriteFiles(command []byte, fds []int) error

	// Refused returns the error of a call that got the error reply e, if that comes from the relay and
	// not from the server; otherwise nil, and the error is e. It can wrap
	// [ErrNotSent], [ErrAbandoned] or [ErrNoAgent]; one that wraps both [ErrNotSent] and [ErrClosed] has
	// the command sent again on the next connection, if there is one ([WithReconnect]).
	Refused(e *Error) error
}

// relaying is a relayed, or nil. Because it is an interface, the linker can leave its code out of
// programs that only dial addresses.
type relaying interface {
	refusal(command string, member []byte) error
	own(command string, member []byte) error
}

type relayed struct{ Relay }

// refusal makes the error of an error reply's error member.
func (r relayed) refusal(command string, member []byte) error {
	err := refusal(command, member)
	if e, ok := err.(*Error); ok {
		if own := r.Refused(e); own != nil {
			return fmt.Errorf("qmp: %s: %w", command, own)
		}
	}
	return err
}

// own returns the error of the relay's own in an error reply, nil if it is the server's.
func (r relayed) own(command string, member []byte) error {
	err := r.refusal(command, member)
	if _, ok := err.(*Error); ok {
		return nil
	}
	return err
}

// perhapsRelayed is k for streams that may be relays.
func perhapsRelayed(k kind) kind {
	prepare := k.prepare
	k.prepare = func(s *session) {
		if r, ok := s.rw.(Relay); ok {
			s.relay, s.flight.single = relayed{r}, true
		}
		prepare(s)
	}
	return k
}

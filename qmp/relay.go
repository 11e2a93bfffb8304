package qmp

import (
	"fmt"
	"io"
)

// A Relay is a stream to a program that owns the server, such as libvirt: that program
// passes commands on to the server, and answers some of them itself; see package
// qmp/libvirt. On a Relay, a connection has one command in flight at a time.
type Relay interface {
	io.ReadWriteCloser // Close must not wait

	// WriteFiles is Write for a command that has files. The descriptors are closed when it has
	// returned. An error ends the connection; a relay that cannot pass files answers the
	// command with an error reply.
	WriteFiles(command []byte, fds []int) error

	// Refused returns the error of a call whose error reply e comes from the relay and not
	// from the server. It returns nil if e comes from the server: then the error of the
	// call is e. The error can wrap [ErrNotSent], [ErrAbandoned] or [ErrNoAgent]. If it
	// wraps both [ErrNotSent] and [ErrClosed], the command is sent again on the next
	// session, if there is one ([WithReconnect]).
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

// own returns the relay's own error in an error reply; nil if the error is the server's.
func (r relayed) own(command string, member []byte) error {
	err := r.refusal(command, member)
	if _, ok := err.(*Error); ok {
		return nil
	}
	return err
}

// perhapsRelayed returns k for streams that may be Relays.
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

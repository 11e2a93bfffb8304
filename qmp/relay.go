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

	// WriteFiles is Write for a command that has files. The descriptors are closed after it has
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

// refusalBy makes the error of an error reply to a command, the server's or the relay's own,
// from the reply's member error. relay may be nil.
func refusalBy(relay Relay, command string, member []byte) error {
	err := refusal(command, member)
	if e, ok := err.(*Error); ok && relay != nil {
		if own := relay.Refused(e); own != nil {
			return fmt.Errorf("qmp: %s: %w", command, own)
		}
	}
	return err
}

// relayError returns the relay's own error in an error reply to c, nil if the error is the
// server's.
func (c *call) relayError(member []byte) error {
	err := refusalBy(c.relay, c.command, member)
	if _, ok := err.(*Error); ok {
		return nil
	}
	return err
}

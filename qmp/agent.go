package qmp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// ErrNoAgent is wrapped by the error of [DialAgent] when something listens but
// no agent answers: the guest has none, or it has not started or has stopped.
var ErrNoAgent = errors.New("no guest agent answers")

// DialAgent connects to a guest agent at an address, which is written as for
// [Dial]. An agent neither greets nor negotiates, and its channel has no idea of
// connections: what an earlier client was not sent may come first. So it is asked
// to mark its next reply with a byte 0xFF, as its protocol has it, and all before
// that is skipped. [WithHandshakeTimeout] limits how long that may take.
func DialAgent(ctx context.Context, addr string, opts ...Option) (*Conn, error) {
	rw, err := openAddress(ctx, addr)
	if err != nil {
		return nil, err
	}
	c, err := NewAgentConn(ctx, rw, opts...)
	if err != nil {
		return nil, fmt.Errorf("%w (at %s)", err, addr)
	}
	return c, nil
}

// NewAgentConn is [DialAgent] for a stream that is there already, which becomes
// the connection's as with [NewConn].
func NewAgentConn(ctx context.Context, rw io.ReadWriteCloser, opts ...Option) (*Conn, error) {
	if err := synchronise(ctx, rw, newOptions(opts).handshakeTimeout); err != nil {
		rw.Close()
		return nil, fmt.Errorf("qmp: synchronise with the agent: %w", err)
	}
	return NewConn(ctx, rw, append(opts, WithoutHandshake())...)
}

// delimiter is a byte that JSON cannot have.
const delimiter = 0xFF

// synchronise makes sure that what the agent says next belongs to us.
func synchronise(ctx context.Context, rw io.ReadWriteCloser, limit time.Duration) error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w within %v", ErrNoAgent, limit))
		defer cancel()
	}
	// Closing the stream is the one way to end a read of any stream.
	stop := context.AfterFunc(ctx, func() { rw.Close() })
	defer stop()

	number := rand.Int64N(1 << 53)
	request := fmt.Appendf([]byte{delimiter}, `{"execute":"guest-sync-delimited","arguments":{"id":%d}}`+"\n", number)
	written := make(chan error, 1)
	go func() { // an agent that is stuck may take nothing, and then nothing ends the write but Close
		_, err := rw.Write(request)
		written <- err
	}()
	err := awaitSync(rw, number)
	if err == nil {
		err = <-written
	}
	if ctx.Err() != nil {
		return contextError(ctx)
	}
	return err
}

// maxSyncReply is more than the reply needs in any spelling.
const maxSyncReply = 1 << 10

// awaitSync reads up to the reply with the number, and not a byte further.
func awaitSync(r io.Reader, number int64) error {
	var line []byte
	marked := false
	for one := make([]byte, 1); ; {
		if _, err := io.ReadFull(r, one); err != nil {
			return err
		}
		switch {
		case one[0] == delimiter:
			line, marked = line[:0], true
		case one[0] != '\n':
			if marked && len(line) < maxSyncReply {
				line = append(line, one[0])
			}
		case marked:
			var reply struct {
				Return int64 `json:"return"`
			}
			if decode(line, &reply) == nil && reply.Return == number {
				return nil
			}
			marked = false // somebody else's
		}
	}
}

package record

import (
	"io"
	"net"
	"sync"
)

// Stream returns a stream that works like rw, a client's connection to a server,
// and writes a recording to w, each line when it happens. A command is
// recorded before it is written to rw. If writing to w fails, the session goes on without
// being recorded, and Close returns the error. w is not closed.
//
// A [qmp.Conn] closes its stream some time after its own Close or its end. To be sure that
// the recording is complete, call Close of the stream again.
//
// Each connection needs its own recording. Files cannot be passed through it.
func Stream(rw io.ReadWriteCloser, w io.Writer) io.ReadWriteCloser {
	return &stream{rw: rw, tape: newTape(w)}
}

// Conn returns [Stream] for what has to be a [net.Conn], such as the result of a
// [qmp.Dialer].
func Conn(c net.Conn, w io.Writer) net.Conn {
	return &conn{c, stream{rw: c, tape: newTape(w)}}
}

// A stream is the stream of a client that is recorded.
type stream struct {
	rw   io.ReadWriteCloser
	tape *tape

	once   sync.Once
	closed error
}

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.rw.Read(b)
	s.tape.record(server, b[:n])
	if err != nil {
		s.tape.end(server, howItEnded(err))
	}
	return n, err
}

func (s *stream) Write(b []byte) (int, error) {
	s.tape.record(client, b)
	return s.rw.Write(b)
}

func (s *stream) Close() error {
	s.once.Do(func() {
		s.tape.end(client, "closed")
		if s.closed = s.rw.Close(); s.closed == nil {
			s.closed = s.tape.failure()
		}
	})
	return s.closed
}

type conn struct {
	net.Conn
	stream stream
}

func (c *conn) Read(b []byte) (int, error)  { return c.stream.Read(b) }
func (c *conn) Write(b []byte) (int, error) { return c.stream.Write(b) }
func (c *conn) Close() error                { return c.stream.Close() }

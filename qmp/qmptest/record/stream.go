package record

import (
	"io"
	"net"
	"sync"
)

// Stream returns a stream that does what rw, a client's connection to a server, does,
// and writes a recording to w: line by line, as things happen. A command stands in
// the recording before it is written to rw. If w fails, the session goes on without
// being recorded, and Close returns the error. w is not closed.
//
// A [qmp.Conn] closes its stream by itself, some time after its own Close or its end:
// the recording is complete when Close of the stream, called once more, has returned.
//
// Each connection needs a recording of its own. Files cannot be passed through it.
func Stream(rw io.ReadWriteCloser, w io.Writer) io.ReadWriteCloser {
	return &stream{rw: rw, tape: newTape(w)}
}

// Conn is [Stream] for what has to be a [net.Conn], such as the result of a
// [qmp.Dialer].
func Conn(c net.Conn, w io.Writer) net.Conn {
	return &conn{c, stream{rw: c, tape: newTape(w)}}
}

// A stream is a client's, recorded.
type stream struct {
	rw   io.ReadWriteCloser
	tape *tape

	once   sync.Once
	closed error
}

func (s *stream) Read(b []byte) (int, error) {
	n, err := s.rw.Read(b)
	s.tape.heard(server, b[:n])
	if err != nil {
		s.tape.end(server, howItEnded(err))
	}
	return n, err
}

func (s *stream) Write(b []byte) (int, error) {
	s.tape.heard(client, b)
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

package record

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/goqapi/goqapi/internal/address"
	"github.com/goqapi/goqapi/qmp"
)

// Options say how a session is replayed.
type Options struct {
	// Lenient lets commands come in any order. Each gets the reply to the first equal command in
	// the recording that has not come yet. Events come after the reply after which they came in
	// the recording. A command that only asks, such as query-status, may come more often than
	// it was recorded, and gets its last reply again. Recorded commands need not come.
	//
	// Without Lenient the same commands must come in the same order, and all of them; replies
	// and events come in the recorded order.
	Lenient bool

	// Accept, if set, is called for each difference between a recorded command and one
	// that came, such as the name of a temporary file. If it returns true, the difference does
	// not matter. path is such as "arguments.file.filename" or "arguments.list[0]". recorded and
	// came are as encoding/json decodes them, numbers as json.Number; nil means that the value
	// is missing.
	Accept func(command, path string, recorded, came any) bool
}

// A Player takes the place of a server, and replays a session to each client, from
// its start. A command that is not as recorded gets an error as its reply, and ends the
// connection; the error of Close says what was wrong.
//
// Some commands are not part of a session, since each client sends them in its own way, and the
// player answers them itself: synchronisations with a guest agent, whose numbers differ, and
// qmp_capabilities after the negotiation. Ids may differ from those in the recording, too.
type Player struct {
	session *Session
	opts    Options
	running sync.WaitGroup

	mu     sync.Mutex
	closed bool
	served bool // a client
	open   map[net.Conn]bool
	ends   []net.Listener
	wrong  []error
}

// Replay returns a player of the session, which must be closed in the end.
func (s *Session) Replay(opts Options) *Player {
	return &Player{session: s, opts: opts, open: map[net.Conn]bool{}}
}

// Start returns a player that is closed when the test ends. The test fails if a
// client did not do what was recorded.
func (s *Session) Start(t testing.TB, opts Options) *Player {
	t.Helper()
	p := s.Replay(opts)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Pipe returns the client's end of a new connection.
func (p *Player) Pipe() net.Conn {
	theirs, ours := net.Pipe()
	p.serve(ours)
	return theirs
}

// Dial connects to the player, as [qmp.NewConn] does, through a pipe.
func (p *Player) Dial(ctx context.Context, opts ...qmp.Option) (*qmp.Conn, error) {
	return qmp.NewConn(ctx, p.Pipe(), opts...)
}

// DialAgent connects to the player of a guest agent's session, as
// [qmp.NewAgentConn] does, through a pipe.
func (p *Player) DialAgent(ctx context.Context, opts ...qmp.Option) (*qmp.Conn, error) {
	return qmp.NewAgentConn(ctx, p.Pipe(), opts...)
}

// Listen lets clients connect at an address such as unix:/tmp/qmp.sock or
// tcp:127.0.0.1:0, written as for [qmp.Listen], and returns the one to dial.
func (p *Player) Listen(addr string) (string, error) {
	a, err := address.ParseStream(addr)
	if err != nil {
		return "", fmt.Errorf("record: listen: %w", err)
	}
	l, err := a.Listen(context.Background())
	if err != nil {
		return "", fmt.Errorf("record: %w", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = l.Close()
		return "", fmt.Errorf("record: listen at %q: %w", addr, net.ErrClosed)
	}
	p.ends = append(p.ends, l)
	p.running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(conn)
		}
	})
	return l.Address().String(), nil
}

// serve replays the session to a client.
func (p *Player) serve(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		conn.Close()
		return
	}
	p.open[conn] = true
	p.served = true
	p.running.Go(func() {
		err := errors.New("record: Options.Accept ended its goroutine, as t.FailNow does")
		defer func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.open, conn)
			if err != nil {
				p.wrong = append(p.wrong, err)
			}
		}()
		err = newPlay(p, conn).run()
	})
}

// Close ends the player and all connections, and waits until its goroutines have ended. Its
// error says what clients did that was not recorded.
func (p *Player) Close() error {
	p.mu.Lock()
	p.closed = true
	for _, l := range p.ends {
		l.Close()
	}
	for conn := range p.open {
		conn.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.served {
		return newPlay(p, nil).verdict()
	}
	return errors.Join(p.wrong...)
}

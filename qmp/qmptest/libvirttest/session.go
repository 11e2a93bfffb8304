package libvirttest

import (
	"bufio"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"

	"github.com/goqapi/goqapi/internal/virrpc"
)

// A session is a connection of a client.
type session struct {
	d         *Daemon
	conn      net.Conn
	slot      chan struct{} // has a value for each call that is executed
	authentic atomic.Bool
	busy      int           // calls to monitors and agents; guarded by the daemon's mutex
	done      chan struct{} // closed when it has ended

	out     chan []byte // is written by a goroutine, so that nobody waits for a slow client
	silence chan struct{}
	once    sync.Once

	mu      sync.Mutex
	follows map[int32]bool // the events that it is registered for
}

// maxOut is how many messages may wait for a client.
const maxOut = 4096

func newSession(d *Daemon, conn net.Conn) *session {
	return &session{
		d: d, conn: conn, slot: make(chan struct{}, maxClientRequests), done: make(chan struct{}),
		out: make(chan []byte, maxOut), silence: make(chan struct{}), follows: map[int32]bool{},
	}
}

func (s *session) mute() { s.once.Do(func() { close(s.silence) }) }

// run reads calls until the client leaves.
func (s *session) run() {
	var calls sync.WaitGroup
	calls.Go(s.write)
	r := io.Reader(bufio.NewReader(s.conn))
	if _, ok := s.conn.(*net.UnixConn); ok {
		r = s.conn // files come with bytes that must not be read ahead
	}
	for {
		p, err := virrpc.Read(r)
		if err != nil {
			break
		}
		select {
		case <-s.silence:
			continue
		default:
		}
		if p.Program == virrpc.Keepalive {
			if p.Procedure == virrpc.Ping {
				s.send(message(virrpc.Keepalive, virrpc.Pong, nil))
			}
			continue
		}
		files, err := s.files(&p)
		if err != nil {
			break
		}
		s.slot <- struct{}{} // libvirt reads no more than five calls at a time
		calls.Go(func() {
			defer func() { <-s.slot }()
			s.execute(p, files)
		})
	}
	close(s.done)
	s.conn.Close()
	calls.Wait()
}

// files receives the files that come after a call.
func (s *session) files(p *virrpc.Packet) ([]*os.File, error) {
	if p.Type != virrpc.CallWithFiles {
		return nil, nil
	}
	d := virrpc.Decoder{Buf: p.Body}
	n := d.Uint()
	p.Body = d.Buf
	return receiveFiles(s.conn, int(n))
}

func (s *session) write() {
	for {
		select {
		case b := <-s.out:
			select {
			case <-s.silence:
				continue
			default:
			}
			if _, err := s.conn.Write(b); err != nil {
				s.conn.Close()
				return
			}
		case <-s.done:
			return
		}
	}
}

func (s *session) send(p virrpc.Packet) {
	select {
	case s.out <- p.Append(nil):
	case <-s.done:
	}
}

func message(program uint32, procedure int32, body []byte) virrpc.Packet {
	p := virrpc.Packet{Body: body}
	p.Program, p.Version, p.Procedure, p.Type = program, 1, procedure, virrpc.Message
	return p
}

// event sends an event if the client is registered for its kind.
func (s *session) event(program uint32, procedure int32, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.follows[procedure] {
		s.send(message(program, procedure, body))
	}
}

func (s *session) follow(procedure int32) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.follows[procedure] = true
	var e virrpc.Encoder
	e.Int(0) // the number of the registration
	return e.Buf
}

// execute executes a call and replies.
func (s *session) execute(p virrpc.Packet, files []*os.File) {
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	var body []byte
	var err error
	switch {
	case p.Program == virrpc.Remote:
		body, err = s.remote(p)
	case p.Program == virrpc.QEMU && p.Procedure == virrpc.MonitorEventRegister:
		body = s.follow(virrpc.MonitorEvent)
	case p.Program == virrpc.QEMU:
		s.d.work(s, func() { body, err = s.command(p, files) })
	default:
		err = &failure{codeRPC, "unknown program"}
	}
	p.Type, p.Status, p.Body = virrpc.Reply, virrpc.OK, body
	if err != nil {
		f, ok := err.(*failure)
		if !ok {
			f = &failure{codeInternal, err.Error()}
		}
		var e virrpc.Encoder
		e.Error(virrpc.Error{Code: f.code, Message: f.text})
		p.Status, p.Body = virrpc.Failed, e.Buf
	}
	s.send(p)
}

// method is how a client must show that it may connect.
func (s *session) method() int32 {
	if s.d.askPolkit() != nil {
		return virrpc.AuthPolkitMethod
	}
	return virrpc.AuthNone
}

func (s *session) authenticate() error {
	if accepts := s.d.askPolkit(); accepts == nil || !*accepts {
		return &failure{codeAuthUnavailable, "authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'"}
	}
	s.authentic.Store(true)
	return nil
}

// remote executes a call of the program Remote.
func (s *session) remote(p virrpc.Packet) ([]byte, error) {
	d, e := virrpc.Decoder{Buf: p.Body}, virrpc.Encoder{}
	switch p.Procedure {
	case virrpc.AuthList:
		e.Uint(1)
		e.Int(s.method())
	case virrpc.AuthPolkit:
		if err := s.authenticate(); err != nil {
			return nil, err
		}
	case virrpc.ConnectSupportsFeature:
		e.Optional(d.Int() == virrpc.FeatureKeepalive)
	case virrpc.ConnectOpen:
		if s.method() != virrpc.AuthNone && !s.authentic.Load() {
			return nil, &failure{codeAuthFailed, "authentication failed: authentication required"}
		}
	case virrpc.ConnectClose:
	case virrpc.DomainEventRegister:
		return s.follow(virrpc.DomainEventLifecycle), nil
	case virrpc.DomainLookupByName:
		name := d.String()
		m := s.d.find(name)
		if m == nil {
			return nil, &failure{codeNoDomain, "Domain not found: no domain with matching name '" + name + "'"}
		}
		e.Domain(m.now())
	case virrpc.ConnectGetAllDomainStats:
		e.DomainStates(s.d.states())
	default:
		return nil, &failure{codeRPC, "unknown procedure"}
	}
	return e.Buf, d.Err()
}

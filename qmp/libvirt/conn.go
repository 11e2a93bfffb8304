package libvirt

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/goqapi/goqapi/internal/virrpc"
	"github.com/goqapi/goqapi/qmp"
)

const (
	// keepaliveInterval and keepaliveCount are libvirt's own: after so many pings without
	// an answer a connection is lost.
	keepaliveInterval = 5 * time.Second
	keepaliveCount    = 5
	// writeTimeout is how long libvirt, or the way to it, may take for a piece of a call. Pieces are small, so that
	// a slow network does not exceed the limit.
	writeTimeout = 10 * time.Second
	pieceSize    = 16 << 10
	version      = 1 // the version of each of libvirt's RPC programs that we use
)

// A conn is a connection to libvirt. One goroutine, read, receives what libvirt sends.
type conn struct {
	rw    io.ReadWriteCloser
	event func(virrpc.Packet) // is called by read, and must not wait
	lost  func(error)         // is called once, when the connection has ended
	pings time.Duration       // the interval of pings; 0: no pings

	write   sync.Mutex   // held while something is written
	writing atomic.Int32 // how many goroutines write, or wait to write

	mu     sync.Mutex
	serial uint32
	calls  map[uint32]func(reply, error) // by serial: what is done with the reply
	err    error                         // why the connection has ended
	timer  *time.Timer                   // of the keepalive

	silent    atomic.Int32 // intervals of pings in which libvirt has neither sent nor read anything
	answering atomic.Bool  // a ping is being answered
}

// A reply is the body of a reply.
type reply []byte

// A lostError is the error of calls that had no reply when the connection ended: libvirt
// may have executed them.
type lostError struct{ cause error }

func (e *lostError) Error() string {
	return "the connection to libvirt is lost: " + e.cause.Error()
}
func (e *lostError) Unwrap() error { return e.cause }

func newConn(rw io.ReadWriteCloser, event func(virrpc.Packet), lost func(error)) *conn {
	return &conn{rw: rw, event: event, lost: lost, calls: map[uint32]func(reply, error){}}
}

// begin introduces this client to libvirt: it authenticates, opens name, and registers for
// the events of all domains if follow is set. read must be running.
func (c *conn) begin(ctx context.Context, name string, follow bool, pings time.Duration) error {
	if err := c.authenticate(ctx); err != nil {
		return fmt.Errorf("authentication: %w", err)
	}
	alive, err := c.supports(ctx, virrpc.FeatureKeepalive)
	if err != nil {
		return err
	}
	var e virrpc.Encoder
	e.Optional(true)
	e.String(name)
	e.Uint(0) // may write
	if _, err := c.call(ctx, virrpc.Remote, virrpc.ConnectOpen, e.Buf); err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	if follow {
		if err := c.follow(ctx); err != nil {
			return fmt.Errorf("registering for events: %w", err)
		}
	}
	if alive && pings > 0 {
		c.keepAlive(pings)
	}
	return nil
}

func (c *conn) authenticate(ctx context.Context) error {
	body, err := c.call(ctx, virrpc.Remote, virrpc.AuthList, nil)
	if err != nil {
		return err
	}
	d := virrpc.Decoder{Buf: body}
	var methods []int32
	for range d.Count(4) {
		methods = append(methods, d.Int())
	}
	if err := d.Err(); err != nil {
		return err
	}
	polkit := false
	for _, m := range methods {
		switch m {
		case virrpc.AuthNone:
			return nil
		case virrpc.AuthPolkitMethod:
			polkit = true
		}
	}
	if len(methods) == 0 {
		return nil
	}
	if !polkit {
		return errors.New("libvirt wants SASL, which this package does not have")
	}
	if _, err := c.call(ctx, virrpc.Remote, virrpc.AuthPolkit, nil); err != nil {
		return fmt.Errorf("by polkit, which usually accepts root and the members of the group libvirt: %w", err)
	}
	return nil
}

func (c *conn) supports(ctx context.Context, feature int32) (bool, error) {
	var e virrpc.Encoder
	e.Int(feature)
	body, err := c.call(ctx, virrpc.Remote, virrpc.ConnectSupportsFeature, e.Buf)
	if err != nil {
		return false, fmt.Errorf("asking for features: %w", err)
	}
	d := virrpc.Decoder{Buf: body}
	return d.Int() != 0, d.Err()
}

// follow registers for the events of all domains.
func (c *conn) follow(ctx context.Context) error {
	var life virrpc.Encoder
	life.Int(virrpc.EventLifecycle)
	life.Optional(false) // all domains
	if _, err := c.call(ctx, virrpc.Remote, virrpc.DomainEventRegister, life.Buf); err != nil {
		return err
	}
	var e virrpc.Encoder
	e.Optional(false) // all domains
	e.Optional(false) // all events
	e.Uint(0)
	_, err := c.call(ctx, virrpc.QEMU, virrpc.MonitorEventRegister, e.Buf)
	return err
}

// call calls a procedure and waits for its reply. If ctx ends first, libvirt may still execute it.
func (c *conn) call(ctx context.Context, program uint32, procedure int32, args []byte) (reply, error) {
	type result struct {
		reply
		error
	}
	done := make(chan result, 1)
	go func() { // libvirt may not read it at once
		err := c.start(program, procedure, args, nil, func(r reply, err error) { done <- result{r, err} })
		if err != nil {
			done <- result{nil, err}
		}
	}()
	select {
	case r := <-done:
		return r.reply, r.error
	case <-ctx.Done():
		return nil, contextError(ctx)
	}
}

// start calls a procedure. then is called once with the outcome, and must not wait. When
// start returns an error libvirt cannot have executed the call, and then is not called.
func (c *conn) start(program uint32, procedure int32, args []byte, fds []int, then func(reply, error)) error {
	p := virrpc.Packet{Body: args}
	p.Program, p.Version, p.Procedure = program, version, procedure
	if len(fds) > 0 {
		p.Type = virrpc.CallWithFiles
		var e virrpc.Encoder
		e.Uint(uint32(len(fds)))
		p.Body = append(e.Buf, args...)
	}
	c.mu.Lock()
	if err := c.err; err != nil {
		c.mu.Unlock()
		return err
	}
	c.serial++
	serial := c.serial
	p.Serial = serial
	c.calls[serial] = then
	c.mu.Unlock()

	if err := c.send(p, fds); err != nil { // libvirt cannot have received all of it
		mine := c.take(serial) != nil
		c.fail(err)
		if mine {
			return &lostError{err}
		}
	}
	return nil
}

// take removes a call and returns the function that gets its reply; nil if there is no such call.
func (c *conn) take(serial uint32) func(reply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	then := c.calls[serial]
	delete(c.calls, serial)
	return then
}

// send writes a message, and after it the files, each with a byte of zero.
func (c *conn) send(p virrpc.Packet, fds []int) error {
	c.writing.Add(1)
	defer c.writing.Add(-1)
	c.write.Lock()
	defer c.write.Unlock()
	for i, piece := range slices.Collect(slices.Chunk(p.Append(nil), pieceSize)) {
		if i > 0 {
			c.silent.Store(0) // it reads
		}
		if d, ok := c.rw.(interface{ SetWriteDeadline(time.Time) error }); ok {
			_ = d.SetWriteDeadline(time.Now().Add(writeTimeout)) // a stream without deadlines waits
		}
		if _, err := c.rw.Write(piece); err != nil {
			return err
		}
	}
	for _, fd := range fds {
		if err := sendFile(c.rw.(*net.UnixConn), fd); err != nil {
			return err
		}
	}
	return nil
}

// passesFiles returns why files cannot be passed, or nil.
func (c *conn) passesFiles() error {
	if _, ok := c.rw.(*net.UnixConn); !ok || !canSendFiles {
		return qmp.ErrNoFiles
	}
	return nil
}

// read receives what libvirt sends until the end of the connection.
func (c *conn) read() {
	r := bufio.NewReaderSize(listener{c}, 4<<10)
	for {
		p, err := virrpc.Read(r)
		if err == nil {
			err = c.receive(p)
		}
		if err != nil {
			c.fail(err)
			return
		}
	}
}

// A listener reads what libvirt sends. Each byte shows that libvirt runs.
type listener struct{ *conn }

func (l listener) Read(b []byte) (int, error) {
	n, err := l.rw.Read(b)
	if n > 0 {
		l.silent.Store(0)
	}
	return n, err
}

// receive handles a message. An error ends the connection.
func (c *conn) receive(p virrpc.Packet) error {
	switch {
	case p.Program == virrpc.Keepalive && p.Procedure == virrpc.Ping:
		if c.answering.CompareAndSwap(false, true) { // one goroutine for all pings of a peer that does not read
			go c.answerPing()
		}
	case p.Program == virrpc.Keepalive:
	case p.Type == virrpc.Message:
		c.event(p)
	case p.Type == virrpc.ReplyWithFiles:
		d := virrpc.Decoder{Buf: p.Body}
		if n := d.Uint(); n != 0 || d.Err() != nil {
			return errors.New("libvirt sends files that nobody asked for")
		}
		p.Body = d.Buf
		fallthrough
	case p.Type == virrpc.Reply:
		then := c.take(p.Serial)
		switch {
		case then == nil:
			return fmt.Errorf("libvirt sends a reply with the number %d, which belongs to no call", p.Serial)
		case p.Status == virrpc.OK:
			then(p.Body, nil)
		default:
			then(nil, newError(p.Body))
		}
	}
	return nil
}

// fail ends the connection because of err.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if err == io.EOF {
		err = fmt.Errorf("libvirt has closed it: %w", err)
	}
	err = &lostError{err}
	c.err = err
	calls := c.calls
	c.calls = nil
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.rw.Close()
	for _, then := range calls {
		then(nil, err)
	}
	c.lost(err)
}

// keepAlive sends pings, so that a peer or a network that is gone is noticed.
func (c *conn) keepAlive(every time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.pings = every
		c.timer = time.AfterFunc(every, c.tick)
	}
}

func (c *conn) tick() {
	c.mu.Lock()
	ended := c.err != nil
	if !ended {
		c.timer.Reset(c.pings)
	}
	c.mu.Unlock()
	switch {
	case ended:
	case c.silent.Add(1) > keepaliveCount:
		c.fail(fmt.Errorf("libvirt has not answered for %v", keepaliveCount*c.pings))
	case c.writing.Load() == 0: // otherwise it would have to wait
		c.keepaliveMessage(virrpc.Ping)
	}
}

func (c *conn) answerPing() {
	defer c.answering.Store(false)
	c.keepaliveMessage(virrpc.Pong)
}

func (c *conn) keepaliveMessage(procedure int32) {
	var p virrpc.Packet
	p.Program, p.Version, p.Procedure, p.Type = virrpc.Keepalive, version, procedure, virrpc.Message
	if err := c.send(p, nil); err != nil {
		c.fail(err)
	}
}

package qmp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// ErrNoAgent is wrapped, together with [context.DeadlineExceeded], by the errors of a dial
// and of calls for which no guest agent has answered in time. The device that
// leads to an agent can be opened, and accepts what is written to it, even when no
// agent reads there. So a guest without an agent, an agent that has not started,
// and one that is still busy with an earlier command look the same to a client.
var ErrNoAgent = errors.New("no guest agent answers")

// DialAgent connects to a guest agent, at an address that is written as for
// [Dial], and synchronises with it: replies that an agent still sends to an earlier
// client are skipped. The connection synchronises again before the first command that
// follows an abandoned one; that command waits, as do those after it, until all
// others are answered.
//
// An agent has 10 s to answer each time, or what [WithHandshakeTimeout] sets; with 0 only
// the context limits it. Until then the synchronisation is repeated, with growing
// intervals: the guest or its agent may still be starting, and then the first is lost.
// After that the dial, or what waits to be sent, fails with [ErrNoAgent]; calls made
// later try again. How long the agent may take for a command itself depends only on the
// context: an agent that has synchronised is running, even if it is slow.
//
// An agent sends no events. It executes one command at a time. The guest is not
// trusted: a message of more than 48 MiB ends the connection, unless [WithMaxMessage]
// sets another limit. (The whole output that an agent keeps of a program, 16 MiB each of
// standard output and error, takes 43 MiB.)
func DialAgent(ctx context.Context, addr string, opts ...Option) (*Conn, error) {
	return dialAddress(ctx, addr, agentOptions(opts), agentServer())
}

// NewAgentConn turns a stream to a guest agent into a connection, as [NewConn] does
// with a stream to QEMU, and synchronises as [DialAgent] does.
func NewAgentConn(ctx context.Context, rw io.ReadWriteCloser, opts ...Option) (*Conn, error) {
	return newConn(ctx, rw, agentOptions(opts), agentServer())
}

// DialAgentFunc is [DialAgent] for a stream that connect makes; connect is used as by [DialFunc].
func DialAgentFunc(ctx context.Context, connect func(context.Context) (io.ReadWriteCloser, error), opts ...Option) (*Conn, error) {
	return dialFunc(ctx, "DialAgentFunc", connect, agentOptions(opts), agentServer())
}

// maxAgentMessage is the size of the largest message that is accepted from an agent.
const maxAgentMessage = 48 << 20

func agentOptions(opts []Option) options {
	o := newOptions(append([]Option{WithMaxMessage(maxAgentMessage)}, opts...))
	o.handshake = false
	return o
}

func agentServer() kind { return kind{prepareAgent, openAgent} }

func prepareAgent(s *session) {
	a := &agent{s: s, limit: s.opts.handshakeTimeout, dialled: make(chan error, 1)}
	s.agent = a
	s.mu.Lock()
	a.sync() // before a reply is read, which may be meant for an earlier client, and before a call is made
	s.mu.Unlock()
}

func openAgent(s *session, ctx context.Context) error {
	go s.read()
	if err := s.agent.await(ctx); err != nil {
		s.fail(err)
		return fmt.Errorf("qmp: synchronise with the guest agent: %w", err)
	}
	if s.opts.trace != nil {
		s.opts.trace.connected(s)
	}
	return nil
}

// The intervals between synchronisations that get no answer.
const (
	firstResync = 250 * time.Millisecond
	lastResync  = 8 * time.Second
)

// An agent is what a session to a guest agent has in addition to other sessions. Its fields
// are guarded by the session's mutex. Its methods are called with the session locked, except
// await, stale and those that timers run (syncAgain, noAnswer), which lock it.
type agent struct {
	s       *session
	limit   time.Duration // for an answer to a synchronisation; 0: no limit
	state   agentState
	round   int           // counts how often it got out of step
	number  []byte        // the id of the last synchronisation
	marked  bool          // the last synchronisation began with the byte resync
	from    uint64        // the last call that was sent before the round's first synchronisation
	repeats *time.Timer   // sends another synchronisation
	pause   time.Duration // until the timer repeats fires
	timer   *time.Timer   // fires when the limit has passed
	dialled chan error    // gets the outcome of the first synchronisation
}

type agentState uint8

const (
	unsynced agentState = iota // the reply to an abandoned call may still come
	syncing
	synced
)

// await sends the first synchronisation and waits for its end.
func (a *agent) await(ctx context.Context) error {
	a.s.mu.Lock()
	mine := a.s.startLocked()
	a.s.mu.Unlock()
	if mine {
		a.s.out.now()
	}
	select {
	case err := <-a.dialled:
		return err
	case <-a.s.done:
		return a.s.closedBy()
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// inStep reports whether the agent is synchronised: every reply belongs to a call that somebody
// waits for.
func (a *agent) inStep() bool { return a.state == synced }

// outOfStep is called when a call was abandoned, whose reply may still come. It does not
// change a synchronisation that is under way: then the call is an eager one, whose reply has
// its id.
func (a *agent) outOfStep() {
	if a.state == synced {
		a.state = unsynced
	}
}

// ready reports whether c can be sent, and begins to synchronise if that must come first. It
// does not synchronise before the calls that somebody waits for are answered: the
// time that they take does not show whether the agent runs. An eager call is always ready.
func (a *agent) ready(c *call) bool {
	if c.mode == probe {
		return true
	}
	if a.state == unsynced && a.s.flight.awaited == 0 {
		a.sync()
	}
	return a.state == synced || c.eager
}

// sync begins a synchronisation.
func (a *agent) sync() {
	a.state, a.from = syncing, a.s.flight.order
	a.s.flight.proven = false // what is sent meanwhile has an id of its own
	a.stopTimers()            // held may have started one
	a.round++
	a.ask(false)
	round := a.round
	a.pause = firstResync
	a.repeats = time.AfterFunc(a.pause, func() { a.syncAgain(round) })
	if a.limit > 0 {
		a.timer = time.AfterFunc(a.limit, func() { a.noAnswer(round) })
	}
}

// ask appends a synchronisation to what is written, after the byte resync if marked. Its
// number comes back twice: as the result, and as the id, which a refusal has too.
func (a *agent) ask(marked bool) {
	if a.marked = marked; marked {
		a.s.out.out = append(a.s.out.out, wire.Resync)
	}
	a.number = strconv.AppendInt(a.number[:0], rand.Int64N(1<<53), 10)
	a.s.out.out = fmt.Appendf(a.s.out.out, `{"execute":"guest-sync-delimited","arguments":{"id":%s},"id":%[1]s}`+"\n", a.number)
}

// syncAgain sends another synchronisation, since the one before may be lost: no agent had
// the port open, or an earlier client left half a message.
func (a *agent) syncAgain(round int) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if a.s.err != nil || a.state != syncing || a.round != round {
		return
	}
	a.askAgain()
	a.pause = min(2*a.pause, lastResync)
	a.repeats = time.AfterFunc(a.pause, func() { a.syncAgain(round) })
}

// askAgain sends another synchronisation after the byte resync, at which QEMU's agent
// drops an incomplete message and sends an error. Other agents may not know the byte, so
// the first synchronisation goes without it. Only the answer to the last one counts:
// the answers to the others come before it.
func (a *agent) askAgain() {
	if a.s.out.busy { // the last has not been written yet
		return
	}
	a.ask(true)
	if a.s.out.start() {
		go a.s.out.loop()
	}
}

// held is called when there is something to send, and an earlier write has not ended. It
// starts the time limit of an agent that does not read, if nobody waits for what is being
// written.
func (a *agent) held() {
	s := a.s
	if a.state != unsynced || s.flight.awaited > 0 || s.queue.first == nil || a.timer != nil || a.limit <= 0 {
		return
	}
	a.timer = time.AfterFunc(a.limit, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.err == nil && a.state == unsynced {
			a.giveUp(a.absence())
		}
	})
}

// absence returns the error for an agent that has not answered within the limit.
func (a *agent) absence() error {
	return fmt.Errorf("%w within %v: it is not running, or it is busy with an earlier command: %w",
		ErrNoAgent, a.limit, context.DeadlineExceeded)
}

// noAnswer is called when the time for the synchronisations of a round is over.
func (a *agent) noAnswer(round int) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	if a.s.err == nil && a.state == syncing && a.round == round {
		a.giveUp(a.absence())
	}
}

// giveUp ends a synchronisation that failed, and all calls that waited for it.
func (a *agent) giveUp(err error) {
	a.state = unsynced
	a.settle(err)
	for c := a.s.queue.first; c != nil; c = a.s.queue.first {
		a.s.queue.remove(c)
		if c.mode == probe {
			a.s.recovery.queued--
		}
		c.err = fmt.Errorf("qmp: %s: %w", c.command, unsent(err))
		a.s.finishLocked(c)
	}
}

// settle passes the outcome of a synchronisation to the dial, if it was the first.
func (a *agent) settle(err error) {
	a.stopTimers()
	select {
	case a.dialled <- err:
	default:
	}
}

func (a *agent) stopTimers() {
	for _, t := range []**time.Timer{&a.timer, &a.repeats} {
		if *t != nil {
			(*t).Stop()
			*t = nil
		}
	}
}

// stale reports whether a message is from before a synchronisation, or the answer to one.
func (a *agent) stale(m *wire.Message) bool {
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil || a.state != syncing {
		return false
	}
	switch {
	case bytes.Equal(m.Members[wire.Return], a.number):
		a.state = synced
		s.flight.withoutIDs = m.Members[wire.ID] == nil
		a.settle(nil)
		a.forget()
		if s.flight.awaited < s.flight.total { // an eager call was abandoned
			a.state = unsynced
		}
		s.kickLocked()
	case m.Members[wire.Error] != nil && bytes.Equal(m.Members[wire.ID], a.number) && !a.marked:
		a.askAgain() // an earlier client may have left half a message, which made the first synchronisation invalid
	case m.Members[wire.Error] != nil && bytes.Equal(m.Members[wire.ID], a.number):
		a.giveUp(refusalBy(a.s.relay, "guest-sync-delimited", m.Members[wire.Error]))
	default:
		c := s.flight.numbers.get(ownNumber(m.Members[wire.ID]))
		return c == nil || !c.eager && c.mode != probe
	}
	return true
}

// forget drops the calls that were abandoned before a synchronisation: their replies
// would have come before its own.
func (a *agent) forget() {
	s := a.s
	for _, c := range s.flight.before(a.from + 1) {
		s.flight.remove(c)
	}
	s.flight.proven = true
	s.recovery = recovery{queued: s.recovery.queued}
}

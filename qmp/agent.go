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
)

// ErrNoAgent is wrapped, beside [context.DeadlineExceeded], by the errors of a dial
// and of calls for which no guest agent has answered in time. The device that
// leads to an agent opens, and takes what is written to it, also when nobody is
// at its other end; that the guest has no agent, that its agent has not started,
// and that it is still busy with an earlier command look the same from here.
var ErrNoAgent = errors.New("no guest agent answers")

// DialAgent connects to a guest agent, at an address that is written as for
// [Dial], and synchronises with it: what an agent still had to say to an earlier
// client is skipped. It is synchronised with again before the first command that
// follows an abandoned one; that command waits, as do those after it, until all
// others are answered.
//
// An agent has 10 s to answer each time, or what [WithHandshakeTimeout] sets; 0 is no
// limit but the context's. Until then the synchronisation is repeated, with growing
// intervals: the guest may be starting, or its agent, and then the first is lost.
// After that the dial, or what waits to be sent, fails with [ErrNoAgent]; calls made
// later try again. How long the agent may take for a command itself is up to the
// context: once synchronised it is there, if slow.
//
// An agent sends no events. It executes one command at a time. The guest is not to be
// trusted: a message of more than 48 MiB ends the connection, unless [WithMaxMessage]
// says otherwise. (The whole output that an agent keeps of a program, 16 MiB each of
// standard output and error, takes 43 MiB.)
func DialAgent(ctx context.Context, addr string, opts ...Option) (*Conn, error) {
	return dialAddress(ctx, addr, agentOptions(opts), agentServer())
}

// NewAgentConn makes a connection to a guest agent of a stream, as [NewConn] does
// of one to QEMU, and synchronises as [DialAgent] does.
func NewAgentConn(ctx context.Context, rw io.ReadWriteCloser, opts ...Option) (*Conn, error) {
	return newConn(ctx, rw, agentOptions(opts), agentServer())
}

// maxAgentMessage is the size of the largest message that is taken from an agent.
const maxAgentMessage = 48 << 20

func agentOptions(opts []Option) options {
	o := newOptions(append([]Option{WithMaxMessage(maxAgentMessage)}, opts...))
	o.handshake = false
	return o
}

func agentServer() kind { return kind{(*link).prepareAgent, (*link).openAgent} }

func (l *link) prepareAgent() {
	l.agent = &agent{
		ready: (*link).agentReady, stale: (*link).stale, held: (*link).heldLocked,
		limit: l.opts.handshakeTimeout, dialled: make(chan error, 1),
	}
	l.mu.Lock()
	l.syncLocked() // before anything is read, which may be stale, or asked
	l.mu.Unlock()
}

func (l *link) openAgent(ctx context.Context) error {
	go l.read()
	if err := l.dialAgent(ctx); err != nil {
		l.fail(err)
		return fmt.Errorf("qmp: synchronise with the guest agent: %w", err)
	}
	if l.opts.trace != nil {
		l.opts.trace.connected(l)
	}
	return nil
}

// The intervals between synchronisations that get no answer.
const (
	firstResync = 250 * time.Millisecond
	lastResync  = 8 * time.Second
)

// An agent is what a link to a guest agent knows beside others. Its fields are
// guarded by the link's mutex.
//
// What only agents need is called through it, so that the linker leaves it out of
// programs that talk to none.
type agent struct {
	ready func(*link, *call) bool    // whether a call can be sent; synchronises if it can't; called with the link locked
	stale func(*link, *message) bool // whether a message is from before a synchronisation, or its answer
	held  func(*link)                // nothing can be sent now; called with the link locked

	limit   time.Duration // for an answer to a synchronisation; 0: none
	state   agentState
	round   int           // counts how often it got out of step
	number  []byte        // the id of the last synchronisation
	from    uint64        // the last call that was sent before the first
	repeats *time.Timer   // sends another
	pause   time.Duration // until then
	timer   *time.Timer   // gives up
	dialled chan error    // how the first synchronisation went
}

type agentState uint8

const (
	unsynced agentState = iota // a reply may still come that nobody waits for
	syncing
	synced
)

// dialAgent sends the first synchronisation and waits for its end.
func (l *link) dialAgent(ctx context.Context) error {
	l.mu.Lock()
	mine := l.startLocked()
	l.mu.Unlock()
	if mine {
		l.out.now()
	}
	select {
	case err := <-l.agent.dialled:
		return err
	case <-l.done:
		return l.closedBy()
	case <-ctx.Done():
		return contextError(ctx)
	}
}

// agentReady reports whether c can be sent, and synchronises if that is why it cannot.
// It waits for the calls that somebody waits for: the time that they take says nothing
// about whether the agent is there. An eager call waits for nothing.
func (l *link) agentReady(c *call) bool {
	a := l.agent
	if c.mode == probe {
		return true
	}
	if a.state == unsynced && l.flight.waited == 0 {
		l.syncLocked()
	}
	return a.state == synced || c.eager
}

// syncLocked begins a synchronisation.
func (l *link) syncLocked() {
	a := l.agent
	a.state, a.from = syncing, l.flight.order
	l.flight.proven = false // what is sent beside it has an id of its own
	a.stopTimers()          // one may be heldLocked's
	a.round++
	l.askLocked()
	round := a.round
	a.pause = firstResync
	a.repeats = time.AfterFunc(a.pause, func() { l.syncAgain(round) })
	if a.limit > 0 {
		a.timer = time.AfterFunc(a.limit, func() { l.noAgent(round) })
	}
}

// askLocked appends a synchronisation to what is written. Its number comes back twice:
// as the result, and as the id also of a refusal.
func (l *link) askLocked() {
	a := l.agent
	a.number = strconv.AppendInt(a.number[:0], rand.Int64N(1<<53), 10)
	l.out.out = fmt.Appendf(l.out.out, `{"execute":"guest-sync-delimited","arguments":{"id":%s},"id":%[1]s}`+"\n", a.number)
}

// syncAgain sends another synchronisation, as the one before may be lost: nobody had the
// port open, or an earlier client left half a message. The byte that begins it has
// QEMU's agent drop what it holds of that, and complain. Others may not know it, so that
// the first goes without. Only the answer to the last counts: what the agent says to
// the others comes before it.
func (l *link) syncAgain(round int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.agent
	if l.err != nil || a.state != syncing || a.round != round {
		return
	}
	if !l.out.busy { // else the last has not been written yet
		l.out.out = append(l.out.out, resync)
		l.askLocked()
		if l.out.start() {
			go l.out.loop()
		}
	}
	a.pause = min(2*a.pause, lastResync)
	a.repeats = time.AfterFunc(a.pause, func() { l.syncAgain(round) })
}

// heldLocked is for when there is something to send, and an earlier write has not ended.
// If nobody waits for what it writes, an agent that does not read is no agent.
func (l *link) heldLocked() {
	a := l.agent
	if a.state != unsynced || l.flight.waited > 0 || l.queue.first == nil || a.timer != nil || a.limit <= 0 {
		return
	}
	a.timer = time.AfterFunc(a.limit, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.err == nil && a.state == unsynced {
			l.notSyncedLocked(a.absence())
		}
	})
}

// absence is the error for an agent that has not answered within the limit.
func (a *agent) absence() error {
	return fmt.Errorf("%w within %v: it is not running, or busy with an earlier command: %w",
		ErrNoAgent, a.limit, context.DeadlineExceeded)
}

// noAgent is called when the synchronisations of a round have had their time.
func (l *link) noAgent(round int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.agent; l.err == nil && a.state == syncing && a.round == round {
		l.notSyncedLocked(a.absence())
	}
}

// notSyncedLocked ends a synchronisation that failed, and all that waited for it.
func (l *link) notSyncedLocked(err error) {
	l.agent.state = unsynced
	l.agent.settle(err)
	for c := l.queue.first; c != nil; c = l.queue.first {
		l.queue.remove(c)
		c.err = fmt.Errorf("qmp: %s: %w", c.command, unsent(err))
		l.finishLocked(c)
	}
}

// settle says how a synchronisation went to a dial; later ones interest nobody.
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

// stale reports whether m is from before a synchronisation, or the answer to one.
func (l *link) stale(m *message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.agent
	if l.err != nil || a.state != syncing {
		return false
	}
	switch {
	case bytes.Equal(m.members[memberReturn], a.number):
		a.state = synced
		a.settle(nil)
		l.forgetLocked()
		l.kickLocked()
	case m.has(memberError) && bytes.Equal(m.members[memberID], a.number):
		l.notSyncedLocked(refusal("guest-sync-delimited", m.members[memberError]))
	default:
		c := l.flight.numbers.get(ownNumber(m.members[memberID]))
		return c == nil || !c.eager
	}
	return true
}

// forgetLocked drops the calls that were abandoned before a synchronisation: their
// replies would have come before its own.
func (l *link) forgetLocked() {
	for _, c := range l.flight.before(l.agent.from + 1) {
		l.flight.remove(c)
	}
	l.flight.proven = true
	l.recovery = recovery{queued: l.recovery.queued}
}

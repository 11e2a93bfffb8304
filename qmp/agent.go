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
// follows an abandoned one; that command waits, as do those behind it, until all
// others are answered.
//
// An agent has 10 s to answer each time, or what [WithHandshakeTimeout] sets.
// Then the dial, or what waits to be sent, fails with [ErrNoAgent]; calls made
// later try again. How long the agent may take for a command itself is up to the
// context: once synchronised it is there, if slow.
//
// An agent sends no events. It executes one command at a time.
func DialAgent(ctx context.Context, addr string, opts ...Option) (*Conn, error) {
	return dialAddress(ctx, addr, agentOptions(opts), agentServer())
}

// NewAgentConn makes a connection to a guest agent of a stream, as [NewConn] does
// of one to QEMU, and synchronises as [DialAgent] does.
func NewAgentConn(ctx context.Context, rw io.ReadWriteCloser, opts ...Option) (*Conn, error) {
	return newConn(ctx, rw, agentOptions(opts), agentServer())
}

func agentOptions(opts []Option) options {
	o := newOptions(opts)
	o.handshake = false
	return o
}

func agentServer() kind { return kind{(*link).prepareAgent, (*link).openAgent} }

func (l *link) prepareAgent() {
	l.agent = &agent{
		sync: (*link).syncLocked, stale: (*link).stale, held: (*link).heldLocked,
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

// An agent is what a link to a guest agent knows beside others. Its fields are
// guarded by the link's mutex.
//
// What only agents need is called through it, so that the linker leaves it out of
// programs that talk to none.
type agent struct {
	sync  func(*link)                // begins a synchronisation; called with the link locked
	stale func(*link, *message) bool // whether a message is from before one, or its answer
	held  func(*link)                // nothing can be sent now; called with the link locked

	limit   time.Duration // for an answer to a synchronisation; 0: none
	state   agentState
	number  []byte // what the synchronisation that is under way is told by
	timer   *time.Timer
	dialled chan error // how the first synchronisation went
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
		l.writeNow()
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

// agentReadyLocked reports whether c can be sent, and synchronises if that is why
// it cannot. It waits for the calls that somebody waits for: the time that they
// take says nothing about whether the agent is there.
func (l *link) agentReadyLocked(c *call) bool {
	if l.agent == nil || c.mode == probe {
		return true
	}
	if l.agent.state == unsynced && l.unread == 0 {
		l.agent.sync(l)
	}
	return l.agent.state == synced
}

// unsyncLocked is for when a call that was sent is abandoned.
func (l *link) unsyncLocked() {
	if l.agent != nil {
		l.agent.state = unsynced
	}
}

// syncLocked appends a synchronisation to out. The byte that begins it has the
// agent drop what it holds of a message that was cut short, and complain. The
// number comes back twice: as the result, and as the id also of a refusal.
func (l *link) syncLocked() {
	a := l.agent
	a.state = syncing
	a.number = strconv.AppendInt(a.number[:0], rand.Int64N(1<<53), 10)
	l.out = append(l.out, resync)
	l.out = fmt.Appendf(l.out, `{"execute":"guest-sync-delimited","arguments":{"id":%s},"id":%[1]s}`+"\n", a.number)
	if a.timer != nil { // heldLocked's
		a.timer.Stop()
	}
	if a.limit > 0 {
		number := string(a.number)
		a.timer = time.AfterFunc(a.limit, func() { l.noAgent(number) })
	}
}

// heldLocked is for when there is something to send, and an earlier write has not ended.
// If nobody waits for what it writes, an agent that does not read is no agent.
func (l *link) heldLocked() {
	a := l.agent
	if a.state != unsynced || l.unread > 0 || l.queue.first == nil || a.timer != nil || a.limit <= 0 {
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

// noAgent is called when the synchronisation of a number has had its time.
func (l *link) noAgent(number string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.agent; l.err == nil && a.state == syncing && string(a.number) == number {
		l.notSyncedLocked(a.absence())
	}
}

// notSyncedLocked ends a synchronisation that failed, and all that waited for it.
func (l *link) notSyncedLocked(err error) {
	l.agent.state = unsynced
	l.agent.settle(err)
	for c := l.queue.first; c != nil; c = l.queue.first {
		l.queue.remove(c)
		c.err = fmt.Errorf("qmp: %s: %w", c.command, err)
		l.finishLocked(c)
	}
}

// settle tells a dial how its synchronisation went; later ones interest nobody.
func (a *agent) settle(err error) {
	if a.timer != nil {
		a.timer.Stop()
		a.timer = nil
	}
	select {
	case a.dialled <- err:
	default:
	}
}

// stale reports whether m is from before a synchronisation, or the answer to it.
func (l *link) stale(m *message) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.agent
	if a == nil || a.state != syncing || l.err != nil {
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
	}
	return true
}

// forgetLocked drops the calls that were abandoned: their replies would have come
// before that to the synchronisation.
func (l *link) forgetLocked() {
	l.ids, l.bare, l.orphan, l.probing, l.doubt = numbers{}, nil, nil, false, 0
}

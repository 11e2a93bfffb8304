package libvirt

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/goqapi/goqapi/internal/virrpc"
)

const (
	maxConns   = 2 // connections to a libvirt
	maxPerConn = 4 // commands in flight on one; libvirt reads no more than five
	maxPerGate = 8 // commands in flight at a libvirt, which has 20 workers
	maxAgents  = 4 // commands in flight to agents of a libvirt, included in maxPerGate; guests are not trusted to answer
)

// A monitor identifies a domain's monitor or its agent, each of which has at most one command in
// flight.
type monitor struct {
	domain virrpc.UUID
	agent  bool
}

// A gate decides which command may be sent next. All Hosts of this program that use the same
// libvirt share one gate.
type gate struct {
	mu       sync.Mutex
	inFlight map[monitor]bool
	agents   int // how many of inFlight are agents
	waiting  []*waiter
}

type waiter struct {
	monitor
	admitted chan struct{} // closed when its command may be sent
}

// enter waits until a command of m may be sent. leave must be called when it is answered.
func (g *gate) enter(ctx context.Context, m monitor) error {
	g.mu.Lock()
	w := &waiter{m, make(chan struct{})}
	g.waiting = append(g.waiting, w)
	g.admitLocked()
	g.mu.Unlock()
	select {
	case <-w.admitted:
		return nil
	default:
	}
	select {
	case <-w.admitted:
		return nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	i := slices.Index(g.waiting, w)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	why := g.delayReasonLocked(m)
	g.mu.Unlock()
	if i < 0 { // it was admitted at the same time: it waits for no other command
		g.leave(m)
		return contextError(ctx)
	}
	return fmt.Errorf("%s: %w", why, contextError(ctx))
}

// delayReasonLocked returns why m has to wait.
func (g *gate) delayReasonLocked(m monitor) string {
	switch {
	case g.inFlight[m]:
		return "an earlier command of this domain has no answer yet"
	case m.agent && g.agents >= maxAgents:
		return fmt.Sprintf("%d commands to the agents of other domains have no answer yet", g.agents)
	}
	return fmt.Sprintf("%d commands to other domains have no answer yet", len(g.inFlight))
}

func (g *gate) leave(m monitor) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.inFlight, m)
	if m.agent {
		g.agents--
	}
	g.admitLocked()
}

// admitLocked admits the commands that may be sent, in the order in which they came.
func (g *gate) admitLocked() {
	g.waiting = slices.DeleteFunc(g.waiting, func(w *waiter) bool {
		if len(g.inFlight) >= maxPerGate || g.inFlight[w.monitor] || w.agent && g.agents >= maxAgents {
			return false
		}
		g.inFlight[w.monitor] = true
		if w.agent {
			g.agents++
		}
		close(w.admitted)
		return true
	})
}

// A gateList has the gates that are in use.
type gateList struct {
	mu   sync.Mutex
	open map[any]*sharedGate
}

type sharedGate struct {
	gate
	users int
}

var gates gateList

// join returns the gate of a libvirt.
func (l *gateList) join(key any) *gate {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		l.open = map[any]*sharedGate{}
	}
	g := l.open[key]
	if g == nil {
		g = &sharedGate{gate: gate{inFlight: map[monitor]bool{}}}
		l.open[key] = g
	}
	g.users++
	return &g.gate
}

func (l *gateList) leave(key any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	g := l.open[key]
	if g.users--; g.users == 0 {
		delete(l.open, key)
	}
}

// gateKey returns the same for Hosts that use the same libvirt. A Host with a dialer of the user's
// has a key of its own, since it is not known where the dialer connects to.
func (h *Host) gateKey() any {
	if h.opts.dial != nil {
		return h
	}
	return h.at.key()
}

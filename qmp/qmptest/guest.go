package qmptest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
)

// FileSystems sets the mount points of the file systems in a fake agent's guest. Without it there is
// one file system, at "/".
func FileSystems(mountpoints ...string) Option {
	return func(s *Server) { s.guest.mounted = mountpoints }
}

// WindowsGuest makes the guest of a fake agent freeze as Windows does: a freeze ends by itself after
// 10 s, and then the agent refuses the next guest-fsfreeze-thaw; after that the file systems count
// as thawed.
func WindowsGuest() Option { return func(s *Server) { s.guest.windows = true } }

// shadowTime is how long Windows holds back what is written.
const shadowTime = 10 * time.Second

// A guest has the file systems that an agent freezes and thaws.
type guest struct {
	mounted []string
	windows bool

	mu     sync.Mutex
	frozen int // file systems
	since  time.Time
}

// whileFrozen are the commands that agents execute while file systems are frozen.
var whileFrozen = []string{
	"guest-fsfreeze-status", "guest-fsfreeze-thaw", "guest-info", "guest-ping", "guest-sync", "guest-sync-delimited",
}

// admit returns the error by which an agent refuses a command, whatever its arguments.
func (g *guest) admit(command string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen == 0 || slices.Contains(whileFrozen, command) {
		return nil
	}
	return &qmp.Error{
		Class: qmp.ClassCommandNotFound, Desc: fmt.Sprintf("Command %s has been disabled: file systems are frozen", command),
	}
}

func (g *guest) freeze(_ context.Context, req *Request) (any, error) {
	var args qga.GuestFsfreezeFreezeListArgs
	if err := req.Decode(&args); err != nil {
		return nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.frozen, g.since = 0, time.Now()
	for _, point := range g.mounted {
		if args.Mountpoints == nil || slices.Contains(args.Mountpoints, point) {
			g.frozen++
		}
	}
	return g.frozen, nil
}

func (g *guest) status(context.Context, *Request) (any, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.frozen > 0 {
		return qga.GuestFsfreezeStatusFrozen, nil
	}
	return qga.GuestFsfreezeStatusThawed, nil
}

func (g *guest) thaw(context.Context, *Request) (any, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	thawed := g.frozen
	g.frozen = 0
	if thawed > 0 && g.windows && time.Since(g.since) >= shadowTime {
		return nil, generic(fmt.Sprintf("couldn't hold writes for longer than %v", shadowTime))
	}
	return thawed, nil
}

// An agentState says whether an agent runs.
type agentState struct {
	mu      sync.Mutex
	resumed chan struct{} // closed when it runs again; nil: it runs
	stopped bool
	runs    int // the number of the present run, which rises each time the agent is stopped
}

// PauseGuest makes the server execute nothing until resume is called, like a guest agent whose
// machine is paused. Then it executes what clients have written meanwhile.
func (s *Server) PauseGuest() (resume func()) { return s.agentState.pause(false) }

// StopAgent ends a guest agent until start is called. The connections stay, since they belong to the
// machine. What clients write meanwhile is lost, and so are commands that were written before but
// whose execution had not begun. start also resumes a guest that is paused.
func (s *Server) StopAgent() (start func()) { return s.agentState.pause(true) }

func (p *agentState) pause(stop bool) (resume func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resumed == nil {
		p.resumed = make(chan struct{})
	}
	if stop {
		p.stopped = true
		p.runs++
	}
	return p.resume
}

func (p *agentState) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.resumed != nil {
		close(p.resumed)
	}
	p.resumed, p.stopped = nil, false
}

// lost is used in place of the number of a run, for a request that does not reach an agent.
const lost = -1

// current returns the number of the agent's run that gets a request written now, or lost.
func (p *agentState) current() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return lost
	}
	return p.runs
}

// await waits until a request can be executed, and reports whether it must be executed. It
// must be, even if its client has left meanwhile, unless the agent was stopped or the
// server has ended.
func (p *agentState) await(server context.Context, run int) bool {
	for {
		p.mu.Lock()
		resumed, mine := p.resumed, run == p.runs
		p.mu.Unlock()
		switch {
		case !mine:
			return false
		case resumed == nil:
			return true
		}
		select {
		case <-resumed:
		case <-server.Done():
			return false
		}
	}
}

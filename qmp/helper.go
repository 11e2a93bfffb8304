package qmp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A Helper is a program that a server needs as long as it runs.
type Helper struct {
	// Cmd must not have been started. The program must not go into the background by itself.
	Cmd *exec.Cmd
	// Ready waits until the server can use the helper; see [SocketExists]. nil: the server
	// can use the helper at once.
	Ready func(ctx context.Context) error
	// Ended, if set, is called when the helper ends before the server; it can decide what
	// to do with the server. The error has the last lines of the helper's standard
	// error. [Process.Wait] returns it, too.
	Ended func(error)
}

// SocketExists returns a function for [Helper] that waits until there is a socket at a path, at
// which a program listens. It does not connect, since some helpers serve only one connection.
// Where it cannot see who listens, because the system is not Linux or the helper is in another
// network namespace, it waits only for the socket.
func SocketExists(path string) func(context.Context) error {
	return func(ctx context.Context) error {
		seen := false
		for wait := time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
			if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
				bound, listening := socketState(path)
				if listening || !bound && seen { // when it is new, the kernel may not list it yet
					return nil
				}
				seen = true
			}
			timer := time.NewTimer(wait)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return fmt.Errorf("waiting for the socket %s: %w", path, contextError(ctx))
			}
		}
	}
}

// socketState reports whether the kernel lists a socket that is bound to path, and whether a program
// listens at it: between the two, connections are refused.
func socketState(path string) (bound, listening bool) {
	table, _ := os.ReadFile("/proc/net/unix")
	for line := range strings.Lines(string(table)) {
		before, found := strings.CutSuffix(strings.TrimSuffix(line, "\n"), " "+path)
		// They are: address, references, protocol, flags, type, state, inode.
		if fields := strings.Fields(before); found && len(fields) == 7 {
			const acceptsConnections = "00010000"
			bound, listening = true, listening || fields[3] == acceptsConnections
		}
	}
	return bound, listening
}

// Alongside adds helpers that a server needs, such as swtpm or virtiofsd. [Launch] starts them before the server, in
// this order, and ends them after it.
func Alongside(helpers ...Helper) LaunchOption {
	return launchOption(func(l *launched) {
		for _, h := range helpers {
			l.helpers = append(l.helpers, &helper{Helper: h, child: newChild(h.Cmd)})
		}
	})
}

// A helper is a Helper and its process, which may not have been started yet.
type helper struct {
	Helper
	*child
}

// startHelper starts a helper, and waits until it is ready.
func (p *Process) startHelper(ctx context.Context, h *helper) error {
	if p.launched.livesOn {
		h.detach()
	}
	if err := h.run(p.launched.lost); err != nil {
		return fmt.Errorf("helper %s: %w", h.name, err)
	}
	if h.Ready == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.launched.down: // this helper has ended, or one that it may need
			cancel()
		case <-ctx.Done():
		}
	}()
	err := h.Ready(ctx)
	switch {
	case err == nil:
		return nil
	case h.hasExited():
		return h.ending()
	}
	for _, other := range p.launched.helpers {
		if other.cmd.Process != nil && other.hasExited() {
			return other.ending()
		}
	}
	return fmt.Errorf("helper %s: %w", h.name, h.withStderr(err))
}

// ending returns the error of a helper that has ended too early.
func (h *helper) ending() error {
	err := h.err
	if err == nil {
		err = h.withStderr(errors.New("exit status 0"))
	}
	return fmt.Errorf("helper %s has ended: %w", h.name, err)
}

// lost is called when a helper has ended.
func (l *launched) lost() { l.downOnce.Do(func() { close(l.down) }) }

// watch reports how a helper has ended, if it ended before the server. A helper that ends
// because the server ends may be noticed first, so watch waits a moment for the end of the
// server.
func (p *Process) watch(h *helper) {
	<-h.exited
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-p.exited:
		return
	case <-timer.C:
	}
	err := h.ending()
	p.launched.mu.Lock()
	p.launched.failed = append(p.launched.failed, err)
	p.launched.mu.Unlock()
	if h.Ended != nil {
		h.Ended(err)
	}
}

package qmp

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// A Process is a server that [Start] or [Launch] started. Its number and its signals are in
// the Process of the [exec.Cmd] that was started.
type Process struct {
	// Conn is the connection to it. A process that Start started ends with it: when
	// Conn.Close returns the process has got SIGTERM, and if it is still there 5 s later it
	// gets SIGKILL, provided that this program still runs. One that Launch started does not
	// end with it. See [Process.Close] and [Process.Stop], too.
	Conn *Conn

	*child
	over     chan struct{} // closed when all has ended that was started
	launched *launched     // nil: it was started
}

// Wait waits until the process has ended, and the connection and the helpers with it. It is
// nil if the process ended well, and no helper before it. If the process failed, the error
// wraps an [*exec.ExitError] that has its state and up to 64 KiB of what it said last on its
// standard error. If a helper ended before it, the error says how.
func (p *Process) Wait(ctx context.Context) error {
	for _, end := range []<-chan struct{}{p.over, p.Conn.Done()} {
		select {
		case <-end:
		case <-ctx.Done():
			return fmt.Errorf("qmp: waiting for %s to end: %w", p.name, contextError(ctx))
		}
	}
	if err := p.failure(); err != nil {
		return fmt.Errorf("qmp: %s: %w", p.name, err)
	}
	return nil
}

// failure is how the process has ended, and helpers before it.
func (p *Process) failure() error {
	err := p.err
	if p.launched == nil {
		return err
	}
	p.launched.mu.Lock()
	defer p.launched.mu.Unlock()
	for _, lost := range p.launched.failed {
		if err == nil {
			err = lost
		} else {
			err = fmt.Errorf("%w; %w", err, lost)
		}
	}
	return err
}

// Done returns a channel that is closed when the process has ended; see [Process.Wait].
func (p *Process) Done() <-chan struct{} { return p.over }

// Signal sends the process a signal, as [os.Process.Signal] does. QEMU ends in order when
// it gets SIGTERM.
func (p *Process) Signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("qmp: signal to %s: %w", p.name, err)
	}
	return nil
}

// Close closes the connection, sends SIGTERM to the process, and waits until the process and
// its helpers have ended. A process that has not ended after 5 s is killed, and Close returns
// an error. Close does not report how the process ended otherwise; [Process.Wait] does.
// Commands that were issued with [Conn.Go] and have no reply yet fail; to avoid this, call
// [Conn.WaitIdle] first. Close may be called more than once.
//
// With [LivesOn] it closes the connection, and that is all.
func (p *Process) Close() error {
	p.Conn.Close()
	if p.launched != nil {
		if p.launched.livesOn {
			return nil
		}
		p.terminate()
	}
	<-p.over
	if p.killed.Load() {
		return fmt.Errorf("qmp: %s was killed: it did not end within %v of SIGTERM", p.name, endGrace)
	}
	return nil
}

// Steps are how long [Process.Stop] waits for a process to end after each of the things that
// it tries.
type Steps struct {
	// Powerdown is for the guest, after its power button was pressed. A guest that does not
	// run, or does not listen, does nothing. 0: the button is not pressed.
	Powerdown time.Duration
	// Quit is for the process, after the command quit. 0: 10 s; negative: it is not sent.
	Quit time.Duration
	// Terminate is for the process, after SIGTERM. 0: 5 s; negative: it is not sent.
	Terminate time.Duration
}

// Stop ends the process, and waits until it has ended and its helpers with it: by the
// guest's power button if steps has it, then by quit, then by SIGTERM, then by SIGKILL. What
// cannot be done is passed over: the storage daemon has no power button, and nothing can be
// sent when the connection is closed. When ctx ends the process is killed.
//
// The error says that it was killed. How it ended otherwise is for [Process.Wait] to say.
func (p *Process) Stop(ctx context.Context, steps Steps) error {
	p.step(ctx, steps.Powerdown, 0, p.powerdown)
	p.step(ctx, steps.Quit, 10*time.Second, p.quit)
	p.step(ctx, steps.Terminate, endGrace, func(context.Context) bool {
		return p.cmd.Process.Signal(syscall.SIGTERM) == nil
	})
	select {
	case <-p.exited:
		<-p.over
		return nil
	default:
	}
	killed := p.cmd.Process.Kill() == nil // otherwise it has ended, and its last words are being read
	<-p.over
	if !killed {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("qmp: %s was killed: %w", p.name, contextError(ctx))
	}
	return fmt.Errorf("qmp: %s was killed: nothing else ended it", p.name)
}

// step does something that may end the process, and if it does, waits until the process has
// ended: for d, or for as long as usual if d is 0.
func (p *Process) step(ctx context.Context, d, usual time.Duration, do func(context.Context) (may bool)) {
	if d == 0 {
		d = usual
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case <-p.exited:
		return
	default:
	}
	if ctx.Err() != nil || !do(ctx) {
		return
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
	}
}

func (p *Process) quit(ctx context.Context) (may bool) {
	err := p.Conn.Execute(ctx, "quit", nil, nil)
	return err == nil || MayHaveRun(err)
}

// powerdown presses the power button and waits for the guest.
func (p *Process) powerdown(ctx context.Context) (may bool) {
	shutdown := p.Conn.Subscribe([]string{"SHUTDOWN"})
	defer shutdown.Close()
	if err := p.Conn.Execute(ctx, "system_powerdown", nil, nil); err != nil {
		return MayHaveRun(err)
	}
	if _, err := shutdown.Next(ctx); err != nil {
		return true
	}
	return p.Conn.Execute(ctx, "query-status", nil, nil) != nil // with -no-shutdown it answers, and stays
}

package qmp

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"
)

// A Process is a server that [Start] or [Launch] started. Its process id is in the field Process of
// the [exec.Cmd].
type Process struct {
	// Conn is the connection to the process. A process that Start started ends with the connection: Conn.Close
	// sends SIGTERM to it, and if it has not ended 5 s later, it
	// gets SIGKILL, if this program still runs. A process that Launch started does not
	// end with the connection. See also [Process.Close] and [Process.Stop].
	Conn *Conn

	*child
	over     chan struct{} // closed when everything that was started has ended
	launched *launched     // nil for a process of Start
}

// Wait waits until the process, the connection and the helpers have ended. It returns
// nil if the process succeeded, and no helper ended before it. If the process failed, the error
// wraps an [*exec.ExitError] with its state and up to 64 KiB of the end of its
// standard error. If a helper ended before the process, the error says how.
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

// failure returns how the process has failed, and how helpers have ended before it.
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

// Signal sends the process a signal, as [os.Process.Signal] does. SIGTERM makes QEMU end in an orderly
// way.
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
// With [LivesOn], Close only closes the connection.
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

// Steps says how long [Process.Stop] waits for a process to end after each step.
type Steps struct {
	// Powerdown is how long to wait for the guest after its power button was pressed. The button has no effect
	// on a guest that does not run or that ignores it. 0: the button is not pressed.
	Powerdown time.Duration
	// Quit is how long to wait for the process after the command quit. 0: 10 s; negative: the command is not sent.
	Quit time.Duration
	// Terminate is how long to wait for the process after SIGTERM. 0: 5 s; negative: the signal is not sent.
	Terminate time.Duration
}

// Stop ends the process, and waits until the process and its helpers have ended. It tries one step after
// another: the guest's power button, if steps has it, then the command quit, then SIGTERM, then SIGKILL. It skips
// what is not possible: the storage daemon has no power button, and nothing can be
// sent when the connection is closed. When ctx ends, the process is killed.
//
// Stop returns an error if the process was killed. If it was not, [Process.Wait] returns how it has ended.
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
	killed := p.cmd.Process.Kill() == nil // otherwise it has ended, and its outputs are still being read
	<-p.over
	if !killed {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("qmp: %s was killed: %w", p.name, contextError(ctx))
	}
	return fmt.Errorf("qmp: %s was killed: nothing else ended it", p.name)
}

// step calls do, which may end the process. If do returns true, step waits until the
// process has ended, for up to d, or for up to usual if d is 0. The time for do is
// included.
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
	return p.Conn.Execute(ctx, "query-status", nil, nil) != nil // with -no-shutdown QEMU answers, and does not end
}

package qga

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/goqapi/goqapi/internal/printable"
)

// A Command is a program to be run in the guest.
type Command struct {
	// Path is the program: a path, or a name that is looked up in the agent's
	// PATH. There is no shell.
	Path string
	// Args are its arguments, without the name of the program.
	Args []string
	// Env is the program's whole environment, each entry as NAME=value; nil means the agent's
	// environment.
	Env []string
	// Stdin is what the program reads from its standard input; nil: nothing.
	Stdin []byte
	// Capture sets which output is captured; nil: standard output and error, separately.
	// The agents of QEMU before 8.1 know only [Bool].
	Capture GuestExecCaptureOutput
}

// maxOutput is how much of each output agents keep. An agent that sends more is
// broken or hostile.
const maxOutput = 16 << 20

// A Result is how a program ended, and what it wrote.
type Result struct {
	// Exited reports that the program ended by itself: ExitCode is its exit status.
	Exited bool
	// ExitCode is the program's exit status; -1 if a signal ended it, or if the agent
	// does not say.
	ExitCode int64
	// Signal is the signal that ended the program, in Windows the exception; 0 if
	// it ended by itself.
	Signal int64
	// Stdout and Stderr are the program's output. Agents keep 16 MiB of each; the rest is
	// lost.
	Stdout, Stderr []byte
	// StdoutTruncated and StderrTruncated report that output was lost. Not every agent
	// reports it: the agent of 5.2 never does.
	StdoutTruncated, StderrTruncated bool
}

// Success reports whether the agent said that the program ended by itself with an exit
// status of 0. It is false for a result that comes with an error.
func (r Result) Success() bool { return r.Exited && r.ExitCode == 0 && r.Signal == 0 }

// A RunError is the error of [Run]: why it has no result of a program.
type RunError struct {
	Path string // the program
	PID  int64  // the program's process id in the guest; 0 if it is not known
	Err  error
}

func (e *RunError) Error() string {
	text := "qga: run " + printable.String(e.Path)
	if e.PID != 0 {
		text += fmt.Sprintf(": waiting for process %d", e.PID)
	}
	return text + ": " + e.Err.Error()
}

func (e *RunError) Unwrap() error { return e.Err }

// Agents do not report that a program has ended, so they are polled: often at first, for
// quick programs, and then at growing intervals.
const (
	firstPoll = time.Millisecond
	lastPoll  = 500 * time.Millisecond
)

// Run runs a program in the guest, waits for its end, and returns how it ended. A
// program that fails is not an error: see [Result.Success]. For the agent, a program has
// ended when no process holds its captured output open: so Run also waits for processes
// that the program has started in the background, unless their output goes elsewhere.
//
// The error is a [*RunError]. If ctx ends first, its PID is that of the program, which
// keeps running, since agents cannot end it; [Client.GuestExecStatus] returns its
// state. Without a PID, [qmp.MayHaveRun] reports whether the program may
// have been started. More than 16 MiB of output is an error, too.
func Run(ctx context.Context, c *Client, command Command) (Result, error) {
	args := command.args()
	if args.CaptureOutput == nil {
		args.CaptureOutput = Bool(true)
	}
	started, err := c.GuestExec(ctx, args)
	if err != nil {
		return Result{}, &RunError{command.Path, 0, err}
	}
	status, err := waitExit(ctx, c, started.PID)
	if err == nil {
		err = cmp.Or(checkOutput("standard output", status.OutData), checkOutput("standard error", status.ErrData))
	}
	if err != nil {
		return Result{}, &RunError{command.Path, started.PID, err}
	}
	return resultOf(status), nil
}

// waitExit asks for a process's status until it has ended. After it has reported the end,
// the agent forgets the process.
func waitExit(ctx context.Context, c *Client, pid int64) (GuestExecStatus, error) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		select {
		case <-wait.C:
		case <-ctx.Done():
			return GuestExecStatus{}, ctx.Err()
		}
		status, err := c.GuestExecStatus(ctx, GuestExecStatusArgs{PID: pid})
		if err != nil || status.Exited {
			return status, err
		}
		wait.Reset(pause)
	}
}

// checkOutput returns an error if a guest sent more of an output than an agent keeps.
func checkOutput(name string, data []byte) error {
	if len(data) > maxOutput {
		return fmt.Errorf("the agent sent %d bytes of %s: the limit is %d", len(data), name, maxOutput)
	}
	return nil
}

func resultOf(s GuestExecStatus) Result {
	r := Result{
		ExitCode:        -1,
		Stdout:          s.OutData,
		Stderr:          s.ErrData,
		StdoutTruncated: s.OutTruncated != nil && *s.OutTruncated,
		StderrTruncated: s.ErrTruncated != nil && *s.ErrTruncated,
	}
	switch {
	case s.Signal != nil && *s.Signal != 0:
		r.Signal = *s.Signal
	case s.Exitcode != nil:
		r.Exited, r.ExitCode = true, *s.Exitcode
	}
	return r
}

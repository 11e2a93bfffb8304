package qga

import (
	"context"
	"fmt"
	"time"
)

// A Command is a program to be run in the guest.
type Command struct {
	// Path is the program: a path, or a name that is looked up in the agent's
	// own PATH. No shell is involved.
	Path string
	// Args are its arguments, without the name of the program.
	Args []string
	// Env is its whole environment, each as NAME=value; nil: the agent's.
	Env []string
	// Stdin is what it reads; nil: nothing.
	Stdin []byte
	// Capture is what is to be captured; nil: standard output and error, apart.
	// The agents of QEMU before 8.0 know [Bool] alone.
	Capture GuestExecCaptureOutput
}

// A Result is how a program ended, and what it wrote.
type Result struct {
	// ExitCode is the program's exit status, -1 if a signal ended it.
	ExitCode int
	// Signal is the signal that ended the program, in Windows the exception; 0 if
	// it ended by itself.
	Signal int
	// Stdout and Stderr are what it wrote. Agents keep 16 MiB of each; what was
	// written beyond that is lost.
	Stdout, Stderr []byte
	// StdoutTruncated and StderrTruncated tell that something was lost. Not every
	// agent does: that of 5.2 never sets them.
	StdoutTruncated, StderrTruncated bool
}

// Success reports whether the program ended by itself with an exit status of 0.
func (r Result) Success() bool { return r.ExitCode == 0 && r.Signal == 0 }

// Agents do not tell when a program ends, they have to be asked: soon at first,
// for what is quick, and then ever more seldom, as they have better things to do.
const (
	firstPoll = time.Millisecond
	lastPoll  = 500 * time.Millisecond
)

// Run runs a program in the guest, waits for its end, and returns how it ended. A
// program that fails is no error: see [Result].
//
// When ctx ends first, its error tells the process id. The program runs on, since
// agents have no way to end it, and [Client.GuestExecStatus] can be asked how it
// goes.
func Run(ctx context.Context, c *Client, command Command) (Result, error) {
	args := command.args()
	if args.CaptureOutput == nil {
		args.CaptureOutput = Bool(true)
	}
	started, err := c.GuestExec(ctx, args)
	if err != nil {
		return Result{}, fmt.Errorf("qga: run %s: %w", command.Path, err)
	}
	status, err := waitExit(ctx, c, started.PID)
	if err != nil {
		return Result{}, fmt.Errorf("qga: run %s: waiting for process %d: %w", command.Path, started.PID, err)
	}
	return resultOf(status), nil
}

// waitExit asks for a process's status until it has ended. The answer that says
// so is the last one: the agent then forgets the process.
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

func resultOf(s GuestExecStatus) Result {
	r := Result{
		Stdout:          s.OutData,
		Stderr:          s.ErrData,
		StdoutTruncated: s.OutTruncated != nil && *s.OutTruncated,
		StderrTruncated: s.ErrTruncated != nil && *s.ErrTruncated,
	}
	switch {
	case s.Exitcode != nil:
		r.ExitCode = int(*s.Exitcode)
	case s.Signal != nil:
		r.ExitCode, r.Signal = -1, int(*s.Signal)
	}
	return r
}

package qga

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/goqapi/goqapi/qmp"
)

// A ShutdownMode is what happens to the machine when its guest shuts down.
type ShutdownMode string

// The modes that agents know.
const (
	ShutdownPowerdown ShutdownMode = "powerdown" // it is powered off
	ShutdownHalt      ShutdownMode = "halt"      // it stays on and does nothing
	ShutdownReboot    ShutdownMode = "reboot"    // it starts again
)

// A SuspendMode is where a suspended guest keeps its memory.
type SuspendMode string

// The modes that agents know. The agent of Windows does not have SuspendHybrid.
const (
	SuspendDisk   SuspendMode = "disk"   // on its disk; the machine is powered off
	SuspendRAM    SuspendMode = "ram"    // in the machine, which sleeps: ACPI S3
	SuspendHybrid SuspendMode = "hybrid" // in both: after a loss of power the memory is still on the disk
)

// Times for a shutdown or a suspension, which an agent does not answer if it succeeds.
const (
	refusalTime = 10 * time.Second       // how long the agent has to refuse
	pingPause   = 100 * time.Millisecond // before the agent is sent another command
)

// Shutdown asks the guest's operating system to shut down. The error is a [*qmp.Error] if
// the agent refuses; another error means that the agent did not answer before the
// command, or that ctx ended first.
//
// nil means that the agent has received the command and has not refused it. Agents do not
// answer when they succeed, so Shutdown concludes it from what follows: the agent answers
// another command, or the other side ends the connection, or the agent, which answered
// just before, sends nothing for 10 s. It does not mean that the guest is down, or that
// it will be: a guest can hang while it shuts down. The event SHUTDOWN of the machine's
// monitor reports the end, and RESET that of a reboot.
func Shutdown(ctx context.Context, c *Client, mode ShutdownMode) error {
	return unanswered(ctx, c, "shut down", func(ctx context.Context) error {
		return c.GuestShutdown(ctx, GuestShutdownArgs{Mode: new(string(mode))})
	})
}

// Suspend asks the guest to sleep. Errors and nil mean the same as for [Shutdown]. An
// agent may need seconds to find out that its guest cannot sleep. Most agents execute
// nothing else until the guest has woken up, so success usually takes 10 s. The events
// SUSPEND and SUSPEND_DISK of the machine's monitor report that the guest sleeps.
func Suspend(ctx context.Context, c *Client, mode SuspendMode) error {
	issue, ok := map[SuspendMode]func(context.Context) error{
		SuspendDisk:   c.GuestSuspendDisk,
		SuspendRAM:    c.GuestSuspendRAM,
		SuspendHybrid: c.GuestSuspendHybrid,
	}[mode]
	if !ok {
		return fmt.Errorf("qga: suspend: unknown mode %q", mode)
	}
	return unanswered(ctx, c, "suspend", issue)
}

// unanswered issues a command that has no reply if it succeeds, and waits until a refusal
// can no longer be expected.
func unanswered(ctx context.Context, c *Client, action string, issue func(context.Context) error) error {
	if err := c.GuestPing(ctx); err != nil { // no answer means success only if an agent runs
		return fmt.Errorf("qga: %s: %w", action, err)
	}
	limited, cancel := context.WithTimeout(ctx, refusalTime)
	defer cancel()
	// An agent executes its commands in order: when it has answered the second, it will
	// not refuse the first any more.
	go func() {
		if sleep(limited, c, pingPause) && c.GuestPing(limited) == nil {
			cancel()
		}
	}()
	err := issue(limited)
	if err == nil || errors.Is(err, qmp.ErrAbandoned) && ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("qga: %s: %w", action, err)
}

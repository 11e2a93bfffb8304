package qmp_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/goqapi/goqapi/qmp"
)

// A supervisor keeps one machine running: it starts QEMU again when it has died, at growing
// intervals, until the guest shuts down or ctx ends.
func ExampleLaunch_supervisor() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s := supervisor{
		qemu: func() *exec.Cmd {
			return exec.Command("qemu-system-x86_64", "-S", "-M", "q35", "-display", "none", "disk.qcow2")
		},
		delay: time.Second,
		end:   qmp.Steps{Powerdown: time.Minute},
		tell:  func(news string) { fmt.Println(news) },
	}
	if err := s.run(ctx); err != nil {
		fmt.Println(err)
	}
}

type supervisor struct {
	qemu  func() *exec.Cmd  // one that has not been started
	delay time.Duration     // before it is started again the first time
	end   qmp.Steps         // how it is ended
	tell  func(news string) // of what happens
}

// run runs a machine until its guest shuts down or ctx ends.
func (s supervisor) run(ctx context.Context) error {
	for wait := s.delay; ; wait = min(2*wait, time.Minute) {
		begin := time.Now()
		err := s.runOnce(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if time.Since(begin) > time.Minute {
			wait = s.delay // it has run well
		}
		s.tell(fmt.Sprintf("%v; starting it again in %v", err, wait)) // with what QEMU said last
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
	}
}

// runOnce runs a QEMU to its end. Nil: its guest has shut down, or ctx has ended.
func (s supervisor) runOnce(ctx context.Context) error {
	p, err := qmp.Launch(ctx, s.qemu())
	if err != nil {
		return err
	}
	defer p.Conn.OnEvent("GUEST_PANICKED", func(qmp.Event) { s.tell("the guest has panicked") })()
	defer p.Conn.OnEvent("BLOCK_IO_ERROR", func(e qmp.Event) { s.tell("I/O error: " + string(e.Data)) })()
	if err := p.Conn.Execute(ctx, "cont", nil, nil); err == nil {
		s.tell("the machine runs")
	}
	err = p.Wait(ctx)
	if ctx.Err() == nil {
		return err
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Minute)
	defer cancel()
	return p.Stop(limited, s.end)
}

package qmptest

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// A Step is a command that a client is expected to issue; see [Server.Expect].
type Step struct {
	Command string
	// Arguments are the arguments that the command must have, compared as JSON. nil means
	// any, struct{}{} means none.
	Arguments any
	// Reply is the result of the command. If it is nil, the command is executed as without a
	// script; if nothing executes it, the result is the empty object.
	Reply any
	// Err, if it is not nil, is the error with which the command fails, as that of a [Handler].
	Err error
}

// A step is one that has been encoded.
type step struct {
	command string
	args    []byte // nil: any
	answer  Handler
	came    bool
}

func (st step) String() string {
	if st.args == nil || string(st.args) == "{}" {
		return st.command
	}
	return st.command + " " + shortened(st.args)
}

// A script has the commands that clients are expected to issue.
type script struct {
	steps []step
	next  int
	met   chan struct{} // closed after the last step; nil: nobody has called Met
}

// Expect says which commands clients must issue, in this order, after those of earlier calls of
// Expect: the script. The test fails if a command of the script comes out of order, with other
// arguments or once too often, or has not come when the server is closed. Commands that the script
// does not name may come at any time.
func (s *Server) Expect(steps ...Step) {
	s.t.Helper()
	var list []step
	for _, st := range steps {
		s.known(st.Command)
		e := step{command: st.Command}
		if st.Arguments != nil {
			var err error
			if e.args, err = printedArguments(st.Arguments); err != nil {
				_ = s.fail("the expected arguments of %s cannot be encoded: %w", st.Command, err)
			}
		}
		switch {
		case st.Err != nil:
			err := s.checkError(st.Command, st.Err)
			e.answer = func(context.Context, *Request) (any, error) { return nil, checkedError{err} }
		case st.Reply != nil:
			r := s.newReply(st.Command, st.Reply)
			e.answer = func(context.Context, *Request) (any, error) { return r, r.err }
		}
		list = append(list, e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.script.next == len(s.script.steps) {
		s.script.met = nil
	}
	s.script.steps = append(s.script.steps, list...)
}

// printedArguments returns arguments as JSON. Those of a device include its driver, which a user's
// own type has only as a method.
func printedArguments(args any) ([]byte, error) {
	if dev, ok := args.(qapi.Device); ok {
		open, err := qapi.DeviceArgs(dev)
		if err != nil {
			return nil, err
		}
		args = open
	}
	return printed(args)
}

// Met returns a channel that is closed when all commands that are expected at the time of the call
// have come.
func (s *Server) Met() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := &s.script
	if sc.met == nil {
		sc.met = make(chan struct{})
		sc.settle()
	}
	return sc.met
}

// settle closes the channel of Met if the script is at its end. A missed command may come after that, when the
// channel is closed already.
func (sc *script) settle() {
	if sc.met == nil || sc.next < len(sc.steps) {
		return
	}
	select {
	case <-sc.met:
	default:
		close(sc.met)
	}
}

// follow compares a command with the script. It returns the handler that the script has for it; nil
// if the command is not executed by the script.
func (s *Server) follow(call Call) Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	sc := &s.script
	place, missed := -1, -1
	named := false
	for i, st := range sc.steps {
		if st.command == call.Command {
			named = true
			switch {
			case i >= sc.next && place < 0:
				place = i
			case i < sc.next && !st.came && missed < 0:
				missed = i
			}
		}
	}
	switch {
	case !named:
		return nil
	case place < 0 && missed >= 0: // later commands of the script came before it, which has been reported
		place = missed
	case place < 0:
		_ = s.fail("%s came once more than expected:\n%s", sent(call), sc)
		return nil
	case place > sc.next:
		_ = s.fail("%s came out of order:\n%s", sent(call), sc)
	}
	st := &sc.steps[place]
	st.came, sc.next = true, max(sc.next, place+1)
	sc.settle()
	if st.args != nil {
		got := call.Arguments
		if got == nil {
			got = json.RawMessage("{}")
		}
		if lines := diff(st.args, got); lines != nil {
			_ = s.fail("%s came with other arguments than expected, as command %d of %d:\n\t%s",
				call.Command, place+1, len(sc.steps), strings.Join(lines, "\n\t"))
		}
	}
	return st.answer
}

// scripted reports whether the script names a command.
func (s *Server) scripted(command string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, st := range s.script.steps {
		if st.command == command {
			return true
		}
	}
	return false
}

// finish reports the expected commands that have not come.
func (s *Server) finish() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if missing := len(s.script.steps) - s.script.next; missing > 0 {
		_ = s.fail("%d of %d expected commands have not come:\n%s", missing, len(s.script.steps), &s.script)
	}
	s.script = script{}
}

// String lists the steps of the script, and marks those that have come.
func (sc *script) String() string {
	var b strings.Builder
	for i, st := range sc.steps {
		state := "later"
		switch {
		case st.came:
			state = "came"
		case i < sc.next:
			state = "missed"
		case i == sc.next:
			state = "next"
		}
		fmt.Fprintf(&b, "\t%-7s%s\n", state, st)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func sent(call Call) string { return step{command: call.Command, args: call.Arguments}.String() }

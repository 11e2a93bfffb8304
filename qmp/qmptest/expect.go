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
	// Arguments encode to those that it must have; nil stands for any, and
	// struct{}{} for none.
	Arguments any
	// Reply is the result; nil: what the command gives without a script, and the
	// empty object if nothing executes it.
	Reply any
	// Err, if there is one, is what the command fails with, as a [Handler] does.
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

// A script is what clients are expected to do.
type script struct {
	steps []step
	next  int
	met   chan struct{} // closed at the end of the steps; nil: nobody has asked
}

// Expect has clients issue commands in this order, behind those expected before. A
// command that the script names and that comes out of order, with other arguments or
// once too often fails the test, and so does one that has not come by the time the
// server is closed. Commands that the script does not name may come at any time.
func (s *Server) Expect(steps ...Step) {
	s.t.Helper()
	var list []step
	for _, st := range steps {
		s.known(st.Command)
		e := step{command: st.Command}
		if st.Arguments != nil {
			var err error
			if e.args, err = printedArguments(st.Arguments); err != nil {
				_ = s.fail("the arguments that are expected of %s cannot be encoded: %w", st.Command, err)
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

// printedArguments is arguments as JSON: of a device with its driver, which a type of the
// user's own has in a method only.
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

// Met returns a channel that is closed when all that is expected by now has come. It
// stays open if that never happens.
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

// settle tells who waits that the script is at its end, if it is.
func (sc *script) settle() {
	if sc.met != nil && sc.next == len(sc.steps) {
		close(sc.met)
	}
}

// follow holds a command against the script. It returns what the script has execute
// it, nil if that is not the script's affair.
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
	case place < 0 && missed >= 0: // others came before it, which has been told
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

// finish reports what has not come.
func (s *Server) finish() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if missing := len(s.script.steps) - s.script.next; missing > 0 {
		_ = s.fail("%d of %d expected commands have not come:\n%s", missing, len(s.script.steps), &s.script)
	}
	s.script = script{}
}

// String lists the script and how far it has come.
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

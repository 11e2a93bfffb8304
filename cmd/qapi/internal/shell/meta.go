package shell

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/internal/printable"
)

// A metaCommand is a command to the shell itself.
type metaCommand struct {
	name, args, help string
	run              func(*session, context.Context, []string) error
	// complete returns the words that can replace the last word; nil: there are none.
	complete func(*session, context.Context, []string, string) []complete.Candidate
}

// metaCommands returns the commands to the shell itself.
func metaCommands() []metaCommand {
	return []metaCommand{
		{":help", "", "show this list", (*session).help, nil},
		{":describe", "NAME", "show a command, event, type or device", (*session).describe, (*session).completeDescribe},
		{":wait", "EVENT[:MEMBER=VALUE,…] [TIME]", "wait for an event since the last command", (*session).waitFor, (*session).completeWait},
		{":events", "on|off", "show events, or hide them", (*session).showEvents, completeOnOff},
		{":transaction", "", "collect commands to execute together", (*session).begin, nil},
		{":end", "", "execute the transaction", (*session).commit, nil},
		{":cancel", "", "forget the transaction", (*session).forget, nil},
		{":record", "FILE|off", "record the session, without secrets", (*session).record, (*session).completeFile},
		{":quit", "", "end; the exit code is the last failure's", (*session).quit, nil},
	}
}

// meta runs a command to the shell itself.
func (s *session) meta(ctx context.Context, line string) error {
	words, err := split(line)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	args := texts(words)
	for _, m := range metaCommands() {
		if m.name != args[0] {
			continue
		}
		low := min(1, len(strings.Fields(m.args)))
		if n := len(args) - 1; n < low || n > len(strings.Fields(m.args)) {
			return exit.Usagef("usage: %s", strings.TrimSpace(m.name+" "+m.args))
		}
		return m.run(s, ctx, args[1:])
	}
	return exit.Usagef("%s is not known; :help lists the commands", printable.String(args[0]))
}

// helpLines are the forms of lines that are not a command to the shell itself.
var helpLines = [][2]string{
	{"COMMAND [NAME=VALUE...]", "send a command"},
	{"  NAME.NAME=VALUE", "a member of a member"},
	{"  NAME.0=VALUE", "an element of a list"},
	{"  NAME:=JSON, {JSON}", "a value, or all arguments, as JSON"},
	{"  NAME=@FILE, NAME=-", "from a file, or typed without being shown"},
	{`{"execute": "…"}`, "send a message as it is"},
}

func (s *session) help(context.Context, []string) error {
	lines := slices.Clone(helpLines)
	for _, m := range metaCommands() {
		lines = append(lines, [2]string{strings.TrimSpace(m.name + " " + m.args), m.help})
	}
	lines = append(lines, [2]string{"Tab, Up, Ctrl-C, Ctrl-D", "complete, bring back, clear the line, end"})
	width := 0
	for _, l := range lines {
		width = max(width, term.Width(l[0]))
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%s  %s\n", term.Pad(l[0], width), l[1])
	}
	s.frontend.say(strings.TrimSuffix(b.String(), "\n"))
	return nil
}

func (s *session) describe(_ context.Context, args []string) error {
	if s.Describe == nil {
		return exit.Usagef("there are no descriptions here")
	}
	var b strings.Builder
	out := *s.Out
	out.Writer = &b
	if err := s.Describe(&out, args[0]); err != nil {
		return err
	}
	s.frontend.print(b.String())
	return nil
}

func (s *session) waitFor(ctx context.Context, args []string) error {
	match, err := s.Match(args[0])
	if err != nil {
		return err
	}
	if len(args) > 1 {
		limit, err := time.ParseDuration(args[1])
		if err != nil || limit <= 0 {
			return exit.Usagef("%q is not a time, such as 10s", args[1])
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	err = s.wait(ctx, match)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return exit.With(exit.Timeout, fmt.Errorf("%s did not come within %s", args[0], args[1]))
	case err != nil:
		return fmt.Errorf("wait for %s: %w", args[0], err)
	}
	return nil
}

func (s *session) showEvents(_ context.Context, args []string) error {
	if args[0] != "on" && args[0] != "off" {
		return exit.Usagef("usage: :events on|off")
	}
	s.quiet.Store(args[0] == "off")
	return nil
}

func (s *session) begin(context.Context, []string) error {
	if s.actions != nil {
		return exit.Usagef("a transaction is being collected already; :end executes it, :cancel forgets it")
	}
	able := actionsOf(s.server)
	if len(able.list) == 0 {
		return fmt.Errorf("this server has no transactions")
	}
	s.actions = &transaction{}
	s.engine = s.newEngine(able)
	return nil
}

var errNoTransaction = exit.Usagef("there is no transaction; :transaction begins one")

func (s *session) commit(ctx context.Context, _ []string) error {
	t := s.actions
	if t == nil {
		return errNoTransaction
	}
	if len(t.Actions) == 0 {
		return exit.Usagef("the transaction has no commands yet; :cancel forgets it")
	}
	s.drop()
	args, err := t.arguments()
	if err != nil {
		return err
	}
	return s.execute(ctx, "transaction", args)
}

func (s *session) forget(context.Context, []string) error {
	if s.actions == nil {
		return errNoTransaction
	}
	s.drop()
	return nil
}

func (s *session) drop() {
	s.actions = nil
	s.engine = s.newEngine(s.server)
}

func (s *session) record(_ context.Context, args []string) error {
	if args[0] == "off" {
		return s.recorder.close()
	}
	return s.recorder.start(args[0], s.Create, s.Client.Conn().Greeting())
}

func (s *session) quit(context.Context, []string) error {
	s.ended = true
	return nil
}

// complete returns the words that can replace the last word of a line, whose words are given
// without their quotes.
func (s *session) complete(ctx context.Context, words []string, last string) []complete.Candidate {
	if len(words) == 0 && strings.HasPrefix(last, ":") {
		var found []complete.Candidate
		for _, m := range metaCommands() {
			if strings.HasPrefix(m.name, last) {
				found = append(found, complete.Candidate{Word: m.name, Show: m.name, Help: m.help})
			}
		}
		return found
	}
	if len(words) == 0 || !strings.HasPrefix(words[0], ":") {
		return s.engine.Complete(ctx, words, last)
	}
	for _, m := range metaCommands() {
		if m.name == words[0] && m.complete != nil {
			return m.complete(s, ctx, words[1:], last)
		}
	}
	return nil
}

func (s *session) completeDescribe(_ context.Context, _ []string, last string) []complete.Candidate {
	return s.engine.DefinitionNames(s.Release, last)
}

func (s *session) completeWait(_ context.Context, words []string, last string) []complete.Candidate {
	if len(words) > 0 {
		return nil
	}
	return s.engine.Conditions(last)
}

func completeOnOff(_ *session, _ context.Context, _ []string, last string) []complete.Candidate {
	var found []complete.Candidate
	for _, word := range []string{"on", "off"} {
		if strings.HasPrefix(word, last) {
			found = append(found, complete.Candidate{Word: word, Show: word})
		}
	}
	return found
}

func (s *session) completeFile(ctx context.Context, _ []string, last string) []complete.Candidate {
	return s.engine.Paths(ctx, "", last)
}

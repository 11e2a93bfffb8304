package shell

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
	about "github.com/goqapi/goqapi/cmd/qapi/internal/describe"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/internal/edits"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// run executes a line, and shows the result.
func (s *session) run(ctx context.Context, line string) {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.frontend.during(cancel)()
	var err error
	switch line[0] {
	case ':':
		s.frontend.keep(line, true)
		err = s.meta(ctx, line)
	case '{':
		err = s.message(ctx, line)
	default:
		err = s.command(ctx, line)
	}
	if err != nil {
		s.last = err
		s.follower.settle()
		s.frontend.failure(err)
	}
}

// command sends a command that is written as words, or adds it to the transaction.
func (s *session) command(ctx context.Context, line string) error {
	words, err := split(line)
	args := texts(words)
	understood := false
	defer func() { s.remember(line, args, understood) }()
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	name := args[0]
	from, err := s.sources(ctx, args)
	if err != nil {
		return err
	}
	command, known := s.engine.Interface.Lookup(name).(*schema.Command)
	if s.actions != nil && !known {
		return exit.Usagef("%s cannot be in a transaction%s", printable.String(name), s.guess(name))
	}
	if !known {
		command = nil
	}
	encoded, err := arguments.Parse(name, command, s.devices(), args[1:], from)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	understood = known
	if s.actions != nil {
		s.actions.add(name, encoded)
		return nil
	}
	return s.execute(ctx, name, encoded)
}

// devices returns what is known about the server's devices, which may be nothing.
func (s *session) devices() *devices.List {
	if s.Devices == nil {
		return nil
	}
	if all := s.Devices(); len(all) > 0 {
		return all[0]
	}
	return nil
}

// sources returns what words can refer to; "-" and KEY=- are typed without being shown.
func (s *session) sources(ctx context.Context, args []string) (arguments.Sources, error) {
	from := arguments.Sources{AllowSecrets: true} // other users cannot see words that are typed here
	for _, arg := range args[1:] {
		key, value, ok := strings.Cut(arg, "=")
		if arg != "-" && (!ok || value != "-" || strings.HasSuffix(key, ":")) {
			continue
		}
		if from.Stdin != nil {
			return from, exit.Usagef("only one argument can be typed without being shown")
		}
		text, err := s.frontend.secret(ctx, strings.TrimSuffix(key, "-")+": ")
		if err != nil {
			return from, err
		}
		from.Stdin = strings.NewReader(text)
	}
	return from, nil
}

// execute sends a command, and shows its reply.
func (s *session) execute(ctx context.Context, name string, args []byte) error {
	request := struct {
		Execute   string         `json:"execute"`
		Arguments jsontext.Value `json:"arguments,omitzero"`
	}{name, args}
	if string(args) == "{}" {
		request.Arguments = nil // as it is sent
	}
	message, err := json.Marshal(request)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	s.sending(name, message)
	value, err := s.raw.Execute(ctx, name, jsontext.Value(args))
	s.follower.settle()
	s.recorder.answered(value, err)
	if err != nil {
		return s.refusal(name, message, err)
	}
	s.frontend.reply(reply{value: value})
	return nil
}

// message sends a whole message as it is, and shows the whole reply.
func (s *session) message(ctx context.Context, line string) error {
	if s.actions != nil {
		return exit.Usagef("a message cannot be in a transaction: write the command in words, or type :cancel")
	}
	var m struct {
		Execute   string `json:"execute"`
		OutOfBand string `json:"exec-oob"`
	}
	message := jsontext.Value(line)
	if err := message.Compact(); err != nil {
		return exit.Usagef("this is not a JSON object: %v", err)
	}
	if err := json.Unmarshal(message, &m); err != nil {
		return exit.Usagef("this is not a message: %v", err)
	}
	if !hasSecrets(message) {
		s.frontend.keep(string(message), true)
	}
	name := m.Execute + m.OutOfBand
	s.sending(name, message)
	answer, err := s.raw.RoundTrip(ctx, message)
	s.follower.settle()
	s.recorder.message(answer)
	if err != nil && answer == nil {
		return err
	}
	if err != nil {
		s.last = err // the reply contains the error
		answer = redact.ReadRequest(message).Message(answer)
	}
	s.frontend.reply(reply{value: answer, whole: true})
	return nil
}

// sending is called before a command is sent.
func (s *session) sending(name string, message []byte) {
	if name == "quit" {
		s.goingDown.Store(true)
	}
	s.names.Forget()
	s.follower.settle()
	s.recent.clear()
	s.recorder.sent(message)
}

// refusal returns an error without the secrets of the command, and with a suggestion if the server
// does not have it.
func (s *session) refusal(name string, message []byte, err error) error {
	refused, ok := errors.AsType[*qmp.Error](err)
	if !ok {
		return err
	}
	clean := *refused
	clean.Desc = redact.ReadRequest(message).Text(refused.Desc)
	if clean.Class == qmp.ClassCommandNotFound {
		return &guessed{&clean, s.guess(name)}
	}
	return &clean
}

// guessed is an error followed by a suggestion.
type guessed struct {
	error
	guess string
}

func (g *guessed) Unwrap() error { return g.error }

// guess returns "; it is in QEMU …" for a command of other releases, or "; did you mean …?", if a command
// has a similar name.
func (s *session) guess(name string) string {
	_, known := s.server.Lookup(name).(*schema.Command)
	if in := about.In(name); in != "" && !known {
		return "; it is in " + in
	}
	var names []string
	for _, c := range s.engine.Interface.Commands() {
		names = append(names, c.Name)
	}
	i := slices.IndexFunc(names, func(n string) bool { return strings.HasPrefix(n, name) })
	near := edits.Nearest(name, names)
	if i >= 0 {
		near = names[i]
	}
	if near == "" {
		return ""
	}
	return "; did you mean " + near + "?"
}

// describe returns an error in one line: the server's refusal begins with its class.
func describe(err error) string {
	text := exit.Explain(err)
	if refused, ok := errors.AsType[*qmp.Error](err); ok {
		text = refused.Class + ": " + refused.Desc
	}
	if g, ok := errors.AsType[*guessed](err); ok {
		text += g.guess
	}
	return printable.String(text)
}

func texts(words []word) []string {
	var all []string
	for _, w := range words {
		all = append(all, w.text)
	}
	return all
}

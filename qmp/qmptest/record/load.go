package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// A loader makes a session from lines.
type loader struct {
	session *Session
	line    int
	ended   bool
	placed  []placement
	syncs   agentSyncs

	waiting    map[string][]int // commands without a reply, by their ids
	negotiated bool
}

// A placement is an output with the number of commands that came before it.
type placement struct {
	output
	commands int
}

// agentSyncs are the synchronisations with an agent that may still be answered, numbered
// in the order in which they came.
type agentSyncs struct {
	by    map[string][]int // by the part of an answer that identifies them: "return 5", or "id 5" in an error
	next  int
	first int // those before it are answered, or never will be
}

func (s *agentSyncs) add(number any, id string) {
	for _, key := range syncKeys(number, id, true, id != "") {
		s.by[key] = append(s.by[key], s.next)
	}
	s.next++
}

// answered reports whether a reply answers one of them. The earlier ones will get no answer.
func (s *agentSyncs) answered(result any, id string, good, bad bool) bool {
	at := s.next
	for _, key := range syncKeys(result, id, good, bad) {
		waiting := s.by[key]
		for len(waiting) > 0 && waiting[0] < s.first {
			waiting = waiting[1:]
		}
		s.by[key] = waiting
		if len(waiting) > 0 {
			at = min(at, waiting[0])
		}
	}
	if at == s.next {
		return false
	}
	s.first = at + 1
	return true
}

func syncKeys(number any, id string, good, bad bool) []string {
	var keys []string
	if n, is := number.(json.Number); is && good {
		keys = append(keys, "return "+n.String())
	}
	if bad {
		keys = append(keys, "id "+id)
	}
	return keys
}

// take takes a line. why is the error with which reading it ended.
func (l *loader) take(text []byte, why error) error {
	switch {
	case why != nil && !errors.Is(why, io.EOF):
		return why
	case l.line == 1:
		return l.header(text)
	}
	return l.entry(text)
}

func (l *loader) header(text []byte) error {
	var h struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&h); err != nil {
		return explained("header", err)
	}
	switch {
	case h.Format != format:
		return fmt.Errorf("this is not the header of a recording: its format is %q, not %q", h.Format, format)
	case h.Version != version:
		return fmt.Errorf("the version of the format is %d; this program only reads %d", h.Version, version)
	}
	return nil
}

// An entry is a line below the header.
type entry struct {
	Format  *string         `json:"format"` // only in a header
	US      *int64          `json:"us"`
	From    string          `json:"from"`
	Message json.RawMessage `json:"message"`
	Noise   *int            `json:"noise"`
	End     *string         `json:"end"`
}

func (e *entry) check() error {
	what := 0
	for _, there := range []bool{e.Message != nil, e.Noise != nil, e.End != nil} {
		if there {
			what++
		}
	}
	switch {
	case e.Format != nil:
		return errors.New("another recording begins: a file can have only one")
	case e.From != client && e.From != server:
		return fmt.Errorf("from is %q, neither %q nor %q", e.From, client, server)
	case e.US == nil || *e.US < 0:
		return errors.New("us, the time since the start, is missing or negative")
	case what != 1:
		return fmt.Errorf("it has %d of the members message, noise and end; it must have one", what)
	}
	return nil
}

func (l *loader) entry(text []byte) error {
	var e entry
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil && e.Format == nil {
		return explained("line", err)
	}
	if rest := bytes.TrimSpace(text[dec.InputOffset():]); len(rest) > 0 && e.Format == nil {
		return fmt.Errorf("something follows the object: %.20q", rest)
	}
	if err := e.check(); err != nil {
		return err
	}
	switch {
	case l.ended:
		return errors.New("the session has ended above")
	case e.End != nil:
		if l.ended = true; e.From == server {
			l.add(output{})
		}
		return nil
	case e.Noise != nil:
		l.session.noise = l.session.noise || e.From == client
		return nil
	case e.From == client:
		return l.command(e.Message)
	}
	return l.fromServer(e.Message)
}

// explained returns the error of a decoder with a text for people.
func explained(what string, err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the line is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the line is cut short")
	}
	return fmt.Errorf("this is not a %s of a recording: %w", what, err)
}

func (l *loader) command(text []byte) error {
	value, id, err := parseMessage(text)
	if err != nil {
		return err
	}
	if number, is := syncNumber(value); is { // each client uses other numbers
		l.syncs.add(number, id)
		return nil
	}
	l.waiting[id] = append(l.waiting[id], len(l.session.commands))
	l.session.commands = append(l.session.commands, &command{
		line: l.line, value: value, text: text, id: id,
		probe: l.negotiated && negotiates(value),
	})
	return nil
}

func (l *loader) fromServer(text []byte) error {
	value, id, err := parseMessage(text)
	if err != nil {
		return err
	}
	result, good := value["return"]
	_, bad := value["error"]
	_, greeting := value["QMP"]
	switch {
	case good || bad:
		if !l.syncs.answered(result, id, good, bad) {
			l.reply(text, id, good)
		}
	default: // an event, or something unknown
		l.session.qmp = l.session.qmp || greeting
		l.add(output{message: text})
	}
	return nil
}

// add adds an output whose command is found later.
func (l *loader) add(o output) {
	o.after = -1
	l.placed = append(l.placed, placement{o, len(l.session.commands)})
}

// reply adds a reply to the first command with the same id that has none. A reply that answers no
// command is placed as an event is.
func (l *loader) reply(text []byte, id string, good bool) {
	l.add(output{message: text, stray: true})
	waiting := l.waiting[id]
	if len(waiting) == 0 {
		return
	}
	l.waiting[id] = waiting[1:]
	c := l.session.commands[waiting[0]]
	c.replied = true
	l.negotiated = l.negotiated || good && negotiates(c.value)
	o := &l.placed[len(l.placed)-1].output
	o.after, o.reply, o.stray = waiting[0], true, false
}

// place finds, for each output, the command after which it came. For a reply that is its command.
// For another output it is the command that was being executed: the command of the next reply, if it
// had already come; otherwise the last command, if it never got a reply; otherwise the command of the
// previous output.
func (l *loader) place() {
	next := -1
	for i := len(l.placed) - 1; i >= 0; i-- {
		switch o := &l.placed[i]; {
		case o.reply:
			if !l.session.commands[o.after].probe {
				next = o.after
			}
		case next >= 0 && next < o.commands:
			o.after = next
		}
	}
	before := -1
	for _, o := range l.placed {
		switch last := o.commands - 1; {
		case o.stray && !l.session.qmp:
			continue // what an agent had left from before a synchronisation
		case o.reply && l.session.commands[o.after].probe:
			continue
		case o.after >= 0:
		case last >= 0 && !l.session.commands[last].replied && !l.session.commands[last].probe:
			o.after = last
		default:
			o.after = before
		}
		before = o.after
		l.session.outputs = append(l.session.outputs, o.output)
		if o.after < 0 {
			l.session.prelude = append(l.session.prelude, o.output)
		} else {
			c := l.session.commands[o.after]
			c.outputs = append(c.outputs, o.output)
		}
	}
}

package record

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/jsondiff"
	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/internal/wirejson"
)

// A play is the replay of a session to one client.
type play struct {
	session *Session
	opts    Options
	conn    net.Conn
	out     chan []byte // to the client; nil: its end
	gone    chan struct{}

	came  []bool           // which commands have come
	open  map[string][]int // by name, those that have not come
	all   map[string][]int // by name, all commands
	ids   []string         // the ids that the client has used for them
	next  int              // the first output that has not been sent, if the order is strict
	first int              // all commands before this one have come
	ended bool             // the server has left
	wrong error
}

func newPlay(p *Player, conn net.Conn) *play {
	n := len(p.session.commands)
	play := &play{
		session: p.session, opts: p.opts, conn: conn,
		out: make(chan []byte, 64), gone: make(chan struct{}),
		came: make([]bool, n), ids: make([]string, n),
		open: map[string][]int{}, all: map[string][]int{},
	}
	for i, c := range p.session.commands {
		name := nameOf(c.value)
		play.all[name] = append(play.all[name], i)
		play.came[i] = c.probe // it need not come
		if !c.probe {
			play.open[name] = append(play.open[name], i)
		}
	}
	return play
}

// run serves the client until it leaves, or until the server left in the recording.
func (p *play) run() error {
	var writer sync.WaitGroup
	writer.Go(p.write)
	read := false
	defer func() {
		if !read { // Accept has ended this goroutine
			close(p.out)
			p.conn.Close()
		}
	}()
	p.give(-1)
	in := &splitter{message: p.command, noise: p.noise}
	piece := make([]byte, 4096)
	for {
		n, err := p.conn.Read(piece)
		in.feed(piece[:n])
		if err != nil {
			break
		}
	}
	read = true
	close(p.out)
	writer.Wait()
	p.conn.Close()
	return p.verdict()
}

// write writes the messages for the client.
func (p *play) write() {
	defer close(p.gone)
	for text := range p.out {
		if text == nil {
			p.conn.Close()
			return
		}
		if _, err := p.conn.Write(text); err != nil {
			return // it has left
		}
	}
}

// hangUp ends the connection after all queued messages have been written.
func (p *play) hangUp() {
	p.ended = true
	p.send(nil)
}

func (p *play) send(text []byte) {
	select {
	case p.out <- text:
	case <-p.gone:
	}
}

// verdict returns an error if the client did not do what was recorded.
func (p *play) verdict() error {
	if p.wrong != nil || p.opts.Lenient {
		return p.wrong
	}
	first := slices.Index(p.came, false)
	if first < 0 {
		return nil
	}
	missing := 0
	for _, came := range p.came {
		if !came {
			missing++
		}
	}
	return fmt.Errorf("%s: %d of %d recorded commands did not come, the first of them:\n\t%s",
		p.where(first), missing, len(p.came), p.session.commands[first].text)
}

// where returns the place of a command in the recording.
func (p *play) where(i int) string {
	return fmt.Sprintf("record: %s:%d: command %d", p.session.name, p.session.commands[i].line, i+1)
}

// fail keeps the first error; later ones follow from it.
func (p *play) fail(err error) {
	if p.wrong == nil {
		p.wrong = err
	}
}

// noise handles bytes that are not a JSON object. A client of an agent may send some, to
// synchronise, and so may a client that did so in the recording.
func (p *play) noise(bytes int) {
	if p.session.qmp && !p.session.noise && !p.ended {
		p.fail(fmt.Errorf("record: %s: %d bytes came that are not a JSON object", p.session.name, bytes))
		p.hangUp()
	}
}

// command answers a command.
func (p *play) command(text []byte) {
	if p.ended {
		return // the server has already left
	}
	clean, ok := withoutSecrets(text)
	if !ok {
		p.noise(len(text))
		return
	}
	value, id, err := parseMessage(clean)
	if err != nil {
		p.noise(len(text))
		return
	}
	if number, is := syncNumber(value); is && !p.session.qmp {
		p.synchronise(number, id, delimited(value))
		return
	}
	if negotiates(value) && p.negotiated() {
		p.send(line(withID([]byte(negotiatedAlready), id)))
		return
	}
	i, again := p.find(value, clean)
	switch {
	case i < 0:
		p.refuse(id)
	case again:
		p.repeat(i, id)
	default:
		p.came[i], p.ids[i] = true, id
		name := nameOf(value)
		if at := slices.Index(p.open[name], i); at == 0 {
			p.open[name] = p.open[name][1:]
		} else {
			p.open[name] = slices.Delete(p.open[name], at, at+1)
		}
		p.give(i)
	}
}

// negotiatedAlready is the reply to qmp_capabilities after the negotiation.
const negotiatedAlready = `{"error": {"class": "CommandNotFound", "desc": "the negotiation is over"}}`

// negotiated reports whether all recorded negotiations have come.
func (p *play) negotiated() bool {
	return len(p.all[negotiation]) > 0 && len(p.open[negotiation]) == 0
}

func (p *play) synchronise(number any, id string, delimited bool) {
	answer := fmt.Appendf(nil, `{"return": %s}`, jsondiff.Text(number))
	if delimited {
		p.send(append([]byte{resync}, line(withID(answer, id))...))
		return
	}
	p.send(line(withID(answer, id)))
}

// refuse replies with an error to a command that was not recorded, and ends the connection, since
// the client may wait for something that will not come.
func (p *play) refuse(id string) {
	const refusal = `{"error": {"class": "GenericError", "desc": "the recording that is replayed has no such command here"}}`
	p.send(line(withID([]byte(refusal), id)))
	p.hangUp()
}

// give sends the outputs that came after a command in the recording; with -1, those before the first.
func (p *play) give(after int) {
	if p.opts.Lenient {
		outputs := p.session.prelude
		if after >= 0 {
			outputs = p.session.commands[after].outputs
		}
		for _, o := range outputs {
			p.output(o)
		}
		return
	}
	outputs := p.session.outputs
	for ; p.next < len(outputs) && (outputs[p.next].after < 0 || p.came[outputs[p.next].after]); p.next++ {
		p.output(outputs[p.next])
	}
}

func (p *play) output(o output) {
	switch {
	case o.message == nil:
		p.hangUp()
	case o.reply:
		p.send(line(withID(o.message, p.ids[o.after])))
	default:
		p.send(line(o.message))
	}
}

// repeat sends the reply to a command again.
func (p *play) repeat(i int, id string) {
	for _, o := range p.session.commands[i].outputs {
		if o.reply {
			p.send(line(withID(o.message, id)))
		}
	}
}

// find returns the index of the recorded command that corresponds to a command, and whether the recorded
// command has come before. If there is none, find sets the error of the replay and returns -1.
func (p *play) find(value map[string]any, text []byte) (i int, again bool) {
	if p.wrong != nil {
		return -1, false
	}
	if !p.opts.Lenient {
		for p.first < len(p.came) && p.came[p.first] {
			p.first++
		}
		i := p.first
		if i == len(p.came) {
			p.fail(fmt.Errorf("record: %s: a command came after the last that was recorded:\n\t%s", p.session.name, text))
			return -1, false
		}
		if found := p.compare(i, value); len(found) > 0 {
			p.fail(fmt.Errorf("%s was expected, and another command came:\n%s", p.where(i), p.diff(i, text, found)))
			return -1, false
		}
		return i, false
	}
	return p.findAnywhere(value, text)
}

func (p *play) findAnywhere(value map[string]any, text []byte) (i int, again bool) {
	name := nameOf(value)
	for _, i := range p.open[name] {
		if len(p.compare(i, value)) == 0 {
			return i, false
		}
	}
	for _, i := range slices.Backward(p.all[name]) {
		if !p.came[i] || len(p.compare(i, value)) > 0 {
			continue
		}
		if onlyAsks(name) {
			return i, true
		}
		p.fail(fmt.Errorf("%s came more often than it was recorded:\n\t%s", p.where(i), text))
		return -1, false
	}
	closest := -1
	var found []jsondiff.Difference
	for _, i := range p.all[name] {
		if differences := p.compare(i, value); closest < 0 || len(differences) < len(found) {
			closest, found = i, differences
		}
	}
	if closest >= 0 {
		p.fail(fmt.Errorf("%s is the closest to a command that was not recorded:\n%s", p.where(closest), p.diff(closest, text, found)))
	} else {
		p.fail(fmt.Errorf("record: %s: a command came that was not recorded:\n\t%s", p.session.name, text))
	}
	return -1, false
}

// onlyAsks reports whether a command changes nothing.
func onlyAsks(name string) bool {
	for _, begin := range []string{"query-", "qom-get", "qom-list", "guest-get-", "guest-exec-status", "guest-fsfreeze-status", "guest-ping", "guest-info"} {
		if strings.HasPrefix(name, begin) {
			return true
		}
	}
	return false
}

// compare finds the differences between a recorded command and one that came.
func (p *play) compare(i int, value map[string]any) []jsondiff.Difference {
	recorded := p.session.commands[i].value
	name := nameOf(recorded)
	return jsondiff.Between(recorded, value, func(path string, recorded, came any) bool {
		if text, ok := recorded.(string); ok && redact.IsWord(text) && came != jsondiff.Absent {
			return true
		}
		return p.opts.Accept != nil && p.opts.Accept(name, path, orNil(recorded), orNil(came))
	})
}

func orNil(v any) any {
	if v == jsondiff.Absent {
		return nil
	}
	return v
}

// diff shows a recorded command, what came, and where they differ.
func (p *play) diff(i int, text []byte, found []jsondiff.Difference) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\t- %s\n\t+ %s", p.session.commands[i].text, text)
	for _, d := range found {
		out.WriteString("\n\t" + shown(d))
	}
	return out.String()
}

// line returns a message as a server writes it.
func line(message []byte) []byte {
	text := jsontext.Value(bytes.Clone(message))
	if err := text.Format(jsontext.SpaceAfterColon(true), jsontext.SpaceAfterComma(true),
		wirejson.Lenient(), jsontext.PreserveRawStrings(true)); err == nil {
		message = text
	}
	return append(message, "\r\n"...)
}

// withID returns a reply with another id; with "" without an id.
func withID(reply []byte, id string) []byte {
	var m map[string]json.RawMessage
	if json.Unmarshal(reply, &m) != nil {
		return reply // this cannot happen: it was parsed when it was loaded
	}
	delete(m, "id")
	if id != "" {
		m["id"] = json.RawMessage(id)
	}
	out := []byte{'{'}
	add := func(name string) {
		if value, ok := m[name]; ok {
			if len(out) > 1 {
				out = append(out, ',')
			}
			out = fmt.Appendf(out, "%s:%s", jsondiff.Text(name), value)
		}
	}
	add("return") // QEMU has it before the id
	delete(m, "return")
	for _, name := range slices.Sorted(maps.Keys(m)) {
		add(name)
	}
	return append(out, '}')
}

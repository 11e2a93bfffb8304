package qmptest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A table is what testdata/conformance.txt says.
type table struct {
	cases []*conformanceCase
	free  map[string]bool // members whose values do not matter
}

// A conformanceCase is a line of the table.
type conformanceCase struct {
	line    int
	text    string
	request string // as it is sent
	wait    *awaited
	accept  []acceptance
}

// An awaited event comes some time after the reply.
type awaited struct{ name, text string }

// An acceptance says why a disagreement is there to stay.
type acceptance struct {
	releases []string
	reason   string
}

// accepted is the reason why a disagreement is accepted in a release; "": it is not.
func (c *conformanceCase) accepted(release string) string {
	for _, a := range c.accept {
		if slices.Contains(a.releases, release) || slices.Contains(a.releases, "all") {
			return a.reason
		}
	}
	return ""
}

func readTable(t *testing.T, dir string) *table {
	t.Helper()
	text, err := os.ReadFile("testdata/conformance.txt")
	require.NoError(t, err)
	tab := &table{free: map[string]bool{}}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		first, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case first == "" || first[0] == '#' || first == "==":
		case line[0] == '\t':
			require.NotEmpty(t, tab.cases, "line %d: it belongs to no command", number)
			c := tab.cases[len(tab.cases)-1]
			require.True(t, c.attach(first, rest), "line %d: %s", number, line)
		case first == "free":
			for _, name := range strings.Fields(rest) {
				tab.free[name] = true
			}
		default:
			c := &conformanceCase{line: number, text: line}
			c.request = strings.ReplaceAll(requestOf(line), "$DIR", dir)
			tab.cases = append(tab.cases, c)
		}
	}
	return tab
}

// attach takes an indented line.
func (c *conformanceCase) attach(word, rest string) bool {
	switch word {
	case "wait":
		name, text, ok := strings.Cut(rest, " ")
		c.wait = &awaited{name, text}
		return ok
	case "accept":
		releases, reason, ok := strings.Cut(rest, ": ")
		c.accept = append(c.accept, acceptance{strings.Fields(releases), reason})
		return ok && reason != ""
	}
	return false
}

// requestOf is the message that a line of the table stands for.
func requestOf(line string) string {
	if strings.Contains(`{["`, line[:1]) {
		return line + "\n"
	}
	key := "execute"
	if rest, oob := strings.CutPrefix(line, "oob "); oob {
		key, line = "exec-oob", rest
	}
	name, args, ok := strings.Cut(line, " ")
	if !ok {
		return fmt.Sprintf(`{%q:%q,"id":"case"}`, key, name)
	}
	return fmt.Sprintf(`{%q:%q,"id":"case","arguments":%s}`, key, name, args)
}

// A monitor is a client of which only the messages interest.
type monitor struct {
	conn net.Conn
	in   *json.Decoder
}

// patience is how long a server may take for anything.
const patience = 3 * time.Second

func newMonitor(t *testing.T, conn net.Conn) *monitor {
	t.Helper()
	m := &monitor{conn, json.NewDecoder(conn)}
	_, err := m.next() // the greeting
	require.NoError(t, err)
	_, err = m.tell(&conformanceCase{request: `{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":"case"}`})
	require.NoError(t, err)
	return m
}

// A said is a message from a server.
type said struct {
	ID     any             `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
}

func (m *monitor) next() (*said, error) {
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	s := &said{}
	return s, m.in.Decode(s)
}

// tell gives a command and returns what the server says up to a marker behind it, and
// up to the event that is awaited.
func (m *monitor) tell(c *conformanceCase) ([]*said, error) {
	const marker = `{"execute":"qmp_capabilities","id":"marker"}`
	if _, err := io.WriteString(m.conn, c.request+marker); err != nil {
		return nil, err
	}
	var all []*said
	marked, waiting := false, c.wait != nil
	for !marked || waiting {
		s, err := m.next()
		if err != nil {
			return all, err
		}
		if s.ID == "marker" {
			marked = true
			continue
		}
		all = append(all, s)
		if waiting && s.Event == c.wait.name && strings.Contains(string(s.Data), c.wait.text) {
			waiting = false
		}
	}
	return all, nil
}

// An outcome is what came of a command, as far as servers must agree.
type outcome struct {
	said  []string // events and replies, in order; of errors the class
	reply any      // what is determined of it
	end   string   // why nothing more is said
}

// loose events come before the reply or behind it, as it happens.
var loose = regexp.MustCompile(`^(JOB_|BLOCK_JOB_|DEVICE_DELETED)`)

func (tab *table) outcome(all []*said, err error) outcome {
	var o outcome
	var late []string
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed):
		o.end = "closed"
	case errors.Is(err, os.ErrDeadlineExceeded):
		o.end = "an event did not come"
	case err != nil:
		o.end = err.Error()
	}
	for _, s := range all {
		var what string
		switch {
		case s.Error != nil:
			what = "error " + s.Error.Class
		case s.Event != "":
			what = s.Event
			if strings.HasPrefix(what, "JOB_") {
				what += " " + statusOf(s.Data)
			}
			if loose.MatchString(what) {
				late = append(late, what)
				continue
			}
		default:
			what, o.reply = "return", tab.determined(s.Return)
		}
		if !slices.Contains(o.said, what) || s.Error == nil { // bad JSON may have several
			o.said = append(o.said, what)
		}
	}
	o.said = append(o.said, withoutInterludes(late)...)
	return o
}

func statusOf(data []byte) string {
	var v struct {
		Status string `json:"status"`
		ID     string `json:"id"`
	}
	_ = json.Unmarshal(data, &v) // then it is ""
	return v.ID + " " + v.Status
}

// withoutInterludes leaves out that a job pauses for a moment, to make room for
// others, which depends on the time.
func withoutInterludes(events []string) []string {
	ends := func(s, status string) bool { return strings.HasSuffix(s, " "+status) }
	for i := 0; i+1 < len(events); {
		a, b := events[i], events[i+1]
		if ends(a, "paused") && ends(b, "running") || ends(a, "standby") && ends(b, "ready") {
			events = slices.Delete(events, i, i+2)
			continue
		}
		i++
	}
	return events
}

// determined is a value of which what is free has its kind alone, and lists have an
// order of their own.
func (tab *table) determined(text []byte) any {
	var v any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return err
	}
	return tab.prune(v)
}

var madeUp = regexp.MustCompile(`^#block\d+|^/dev/pts/\d+|:/dev/pts/\d+`)

func (tab *table) prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range maps.Clone(v) {
			if tab.free[name] {
				v[name] = kindOf(v[name])
			} else {
				v[name] = tab.prune(v[name])
			}
		}
	case []any:
		for i := range v {
			v[i] = tab.prune(v[i])
		}
		slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	case string:
		return madeUp.ReplaceAllString(v, "made up")
	}
	return v
}

func kindOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case json.Number:
		return "a number"
	}
	return fmt.Sprintf("a %T", v)
}

// A disagreement is between what came of a command in a real QEMU and in the fake one.
type disagreement []string

func compare(real, fake outcome) (d disagreement) {
	d.values("it says", strings.Join(real.said, ", "), strings.Join(fake.said, ", "))
	d.values("the end", real.end, fake.end)
	if len(d) == 0 {
		d.values("reply", real.reply, fake.reply)
	}
	return d
}

func (d *disagreement) values(path string, real, fake any) {
	switch r := real.(type) {
	case map[string]any:
		if f, ok := fake.(map[string]any); ok {
			all := maps.Clone(r)
			maps.Copy(all, f)
			for _, name := range slices.Sorted(maps.Keys(all)) {
				_, inReal := r[name]
				_, inFake := f[name]
				switch {
				case !inFake:
					*d = append(*d, fmt.Sprintf("%s.%s: the fake has none", path, name))
				case !inReal:
					*d = append(*d, fmt.Sprintf("%s.%s: only the fake has it", path, name))
				default:
					d.values(path+"."+name, r[name], f[name])
				}
			}
			return
		}
	case []any:
		if f, ok := fake.([]any); ok && len(f) == len(r) {
			for i := range r {
				d.values(fmt.Sprintf("%s[%d]", path, i), r[i], f[i])
			}
			return
		}
	}
	if !reflect.DeepEqual(real, fake) {
		*d = append(*d, fmt.Sprintf("%s: QEMU %.300q, the fake %.300q", path, fmt.Sprint(real), fmt.Sprint(fake)))
	}
}

// TestQEMUConformance has a real QEMU of each release and the fake one told the same,
// and compares what they answer.
func TestQEMUConformance(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := t.TempDir()
		tab := readTable(t, dir)
		// Of the firmware the processor executes one instruction: halt.
		firmware := filepath.Join(t.TempDir(), "halt")
		require.NoError(t, os.WriteFile(firmware, bytes.Repeat([]byte{0xf4}, 1<<16), 0o600))
		real := newMonitor(t, q.Start(t, "-qmp", "-machine", "pc", "-accel", "tcg", "-m", "64", "-bios", firmware,
			"-device", "virtio-scsi-pci,id=scsi0", "-device", "ide-cd,id=cd0"))
		srv := qmptest.Start(t, qmptest.Release(q.Release))
		wireMachine(srv)
		fake := newMonitor(t, srv.Pipe())

		agree := 0
		for _, c := range tab.cases {
			said, err := real.tell(c)
			want := tab.outcome(said, err)
			said, err = fake.tell(c)
			got := tab.outcome(said, err)
			differ := compare(want, got)
			place := fmt.Sprintf("testdata/conformance.txt:%d: %s", c.line, c.text)
			reason := c.accepted(q.Release)
			switch {
			case got.end != want.end:
				t.Fatalf("%s\n\t%s", place, strings.Join(differ, "\n\t"))
			case len(differ) == 0 && reason == "":
				agree++
			case len(differ) == 0:
				t.Errorf("%s\n\tthey agree, but a disagreement is accepted: %s", place, reason)
			case reason != "":
				t.Logf("%s\n\taccepted: %s", place, reason)
			default:
				t.Errorf("%s\n\t%s", place, strings.Join(differ, "\n\t"))
			}
		}
		t.Logf("%s: %d of %d agree", q.Release, agree, len(tab.cases))
	})
}

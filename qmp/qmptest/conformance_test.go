package qmptest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp"
)

// requestOf returns the message that a line of the table stands for.
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

// A monitor is a client that reads whole messages.
type monitor struct {
	conn    net.Conn
	said    chan *said // closed at the end
	version qmp.Version
}

// answerTimeout is how long a server may take to answer.
const answerTimeout = time.Minute

func newMonitor(t *testing.T, conn net.Conn) *monitor {
	t.Helper()
	m := &monitor{conn: conn, said: make(chan *said, 100)}
	var reader sync.WaitGroup
	reader.Go(m.read)
	t.Cleanup(func() {
		conn.Close()
		for range m.said { // so that it ends
		}
		reader.Wait()
	})
	greeting, ok := <-m.said
	require.True(t, ok, "it does not greet")
	m.version = greeting.QMP.Version.QEMU
	m.send(&conformanceCase{request: `{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":"case"}`})
	return m
}

func (m *monitor) read() {
	defer close(m.said)
	in := json.NewDecoder(m.conn)
	for {
		s := &said{}
		if in.Decode(s) != nil {
			return
		}
		m.said <- s
	}
}

// A said is a message from a server.
type said struct {
	QMP struct {
		Version struct{ QEMU qmp.Version }
	}
	ID     any             `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event string          `json:"event"`
	Data  json.RawMessage `json:"data"`
}

// send sends a command and returns the messages of the server up to the reply to a marker after it, and
// up to the event that is awaited. end is why not all of them came; "" if they came.
func (m *monitor) send(c *conformanceCase) (all []*said, end string) {
	const marker = `{"execute":"qmp_capabilities","id":"marker"}`
	if c.file != nil {
		if err := writeFile(m.conn, c.request, c.file); err != nil {
			return nil, "closed"
		}
		c = &conformanceCase{wait: c.wait, ends: c.ends}
	}
	if _, err := io.WriteString(m.conn, c.request+marker); err != nil {
		return nil, "closed"
	}
	timer := time.NewTimer(answerTimeout)
	defer timer.Stop()
	marked, waiting := false, c.wait != nil
	for !marked || waiting {
		select {
		case s, ok := <-m.said:
			switch {
			case !ok:
				return all, "closed"
			case s.ID == "marker":
				marked = !c.ends
				continue
			}
			all = append(all, s)
			if waiting && (c.wait.is(s) || s.Error != nil) { // a command that was refused causes no event
				waiting = false
			}
		case <-timer.C:
			if !marked {
				return all, "silence"
			}
			return all, "the event did not come"
		}
	}
	return all, ""
}

// An outcome is the outcome of a command, as far as servers must agree.
type outcome struct {
	said  []string // events and replies, in order; errors by their classes
	reply any      // the reply, without the values that may differ
	end   string   // why nothing more comes
}

// loose events come before the reply or after it.
var loose = regexp.MustCompile(`^(JOB_|BLOCK_JOB_|DEVICE_DELETED|DUMP_COMPLETED|MIGRATION)`)

func (tab *table) outcome(all []*said, end string) outcome {
	o := outcome{end: end}
	var late []string
	for _, s := range all {
		if s.Event == "MIGRATION_PASS" { // their number depends on the time
			continue
		}
		var what string
		switch {
		case s.Error != nil:
			what = "error " + s.Error.Class
		case s.Event != "":
			what = s.Event
			if strings.HasPrefix(what, "JOB_") || what == "MIGRATION" {
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

// determined returns a value in which only the kind of free values is left, and lists are
// sorted.
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

// hmpDetails matches files and threads in the output of the human monitor.
var hmpDetails = regexp.MustCompile(`((?m)^[a-z0-9]+:|Backing file:) .*( \((?:[a-z0-9-]+(?:, read-only)?|chain depth: \d+)\)\r\n)|(thread_id=)\d+`)

func (tab *table) prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range maps.Clone(v) {
			if tab.without[name] {
				delete(v, name)
			} else if tab.free[name] {
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
		return hmpDetails.ReplaceAllString(madeUp.ReplaceAllString(v, "made up"), "$1$3 made up$2")
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

// A disagreement lists the differences between the outcomes of a command in a real QEMU and in the fake.
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
		if f, ok := fake.([]any); ok {
			d.lists(path, r, f)
			return
		}
	}
	if !reflect.DeepEqual(real, fake) {
		*d = append(*d, fmt.Sprintf("%s: QEMU %.300q, the fake %.300q", path, fmt.Sprint(real), fmt.Sprint(fake)))
	}
}

func (d *disagreement) lists(path string, real, fake []any) {
	if len(real) == len(fake) {
		for i := range real {
			d.values(fmt.Sprintf("%s[%d]", path, i), real[i], fake[i])
		}
		return
	}
	lacks := func(list []any, v any) bool {
		return !slices.ContainsFunc(list, func(w any) bool { return reflect.DeepEqual(v, w) })
	}
	for _, v := range real {
		if lacks(fake, v) {
			*d = append(*d, fmt.Sprintf("%s: the fake lacks %v", path, v))
		}
	}
	for _, v := range fake {
		if lacks(real, v) {
			*d = append(*d, fmt.Sprintf("%s: only the fake has %v", path, v))
		}
	}
	if len(*d) == 0 {
		*d = append(*d, fmt.Sprintf("%s: QEMU has %d, the fake %d", path, len(real), len(fake)))
	}
}

// String returns the first differences.
func (d disagreement) String() string {
	const enough = 6
	more := ""
	if len(d) > enough {
		more = fmt.Sprintf("\n\tand %d more", len(d)-enough)
		d = d[:enough]
	}
	return strings.Join(d, "\n\t") + more
}

// socketDir returns a folder for sockets, for which t.TempDir can be too long.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "qmptest")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// The conformance test can fail.
func TestDisagreementsAreFound(t *testing.T) {
	tab := &table{free: map[string]bool{"f": true}}
	heard := func(texts ...string) (all []*said) {
		for _, text := range texts {
			s := &said{}
			require.NoError(t, json.Unmarshal([]byte(text), s))
			all = append(all, s)
		}
		return all
	}
	real := tab.outcome(heard(`{"event":"A"}`, `{"return":{"a":1,"f":1,"l":[{"x":1},{"x":2}]}}`), "")
	for _, c := range []struct {
		fake []*said
		end  string
		want string
	}{
		{heard(`{"event":"A"}`, `{"return":{"a":1,"f":2,"l":[{"x":2},{"x":1}]}}`), "", ""},
		{heard(`{"event":"A"}`, `{"return":{"a":2,"f":2,"l":[{"x":2},{"x":1}]}}`), "", `reply.a: QEMU "1", the fake "2"`},
		{heard(`{"event":"A"}`, `{"return":{"a":1,"f":"2","l":[{"x":2},{"x":1}]}}`), "", `reply.f: QEMU "a number", the fake "a string"`},
		{heard(`{"event":"A"}`, `{"return":{"b":1,"f":2,"l":[{"x":2}]}}`), "",
			"reply.a: the fake has none\n\treply.b: only the fake has it\n\treply.l: the fake lacks map[x:1]"},
		{heard(`{"return":{}}`, `{"event":"A"}`), "", `it says: QEMU "A, return", the fake "return, A"`},
		{heard(`{"event":"A"}`, `{"error":{"class":"C"}}`), "closed",
			"it says: QEMU \"A, return\", the fake \"A, error C\"\n\tthe end: QEMU \"\", the fake \"closed\""},
	} {
		assert.Equal(t, c.want, compare(real, tab.outcome(c.fake, c.end)).String())
	}
	job := func(status string) string {
		return fmt.Sprintf(`{"event":"JOB_STATUS_CHANGE","data":{"id":"j","status":%q}}`, status)
	}
	real = tab.outcome(heard(job("created"), `{"return":{}}`, job("running"), job("paused"), job("running"), job("null")), "")
	fake := tab.outcome(heard(`{"return":{}}`, job("created"), job("running"), job("null")), "")
	assert.Empty(t, compare(real, fake), "the time of a job's events may differ")
}

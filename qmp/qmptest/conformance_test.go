package qmptest_test

import (
	"bytes"
	"encoding/json"
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
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// A table is what testdata/conformance*.txt say: each file is for a machine of its own.
type table struct {
	cases []*conformanceCase
	free  map[string]bool // members whose values do not matter
	file  *os.File        // that is passed

	without map[string]bool // members that are not looked at
}

// A conformanceCase is a line of the table.
type conformanceCase struct {
	table   string // its file
	line    int
	text    string
	request string // as it is sent
	file    *os.File
	wait    *awaited
	ends    bool   // the connection
	fails   string // the class of the error that it must be, where the command is
	accept  []acceptance
}

// An awaited event comes some time after the reply.
type awaited struct {
	name  string
	words []string // that its data have
}

func (a *awaited) is(s *said) bool {
	lacks := func(word string) bool { return !strings.Contains(string(s.Data), word) }
	return s.Event == a.name && !slices.ContainsFunc(a.words, lacks)
}

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

func (c *conformanceCase) place() string {
	return fmt.Sprintf("%s:%d: %s", c.table, c.line, c.text)
}

// command is the name of the command, if the case has one.
func (c *conformanceCase) command() string {
	words := strings.Fields(c.text)
	if words[0] == "oob" || words[0] == "file" {
		words = words[1:]
	}
	return words[0]
}

// failsAsSaid reports whether a command that is to fail with a class of error did so
// in a release that has it.
func (c *conformanceCase) failsAsSaid(s *schema.Schema, o outcome) bool {
	return c.fails == "" || slices.Contains(o.said, "error "+c.fails) || s.Lookup(c.command()) == nil
}

func readTable(t *testing.T, dir string) *table {
	t.Helper()
	files, err := filepath.Glob("testdata/conformance*.txt")
	require.NoError(t, err)
	tab := &table{free: map[string]bool{}, without: map[string]bool{}}
	for _, file := range files {
		tab.read(t, file, dir)
	}
	return tab
}

// read adds what a file says.
func (tab *table) read(t *testing.T, file, dir string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
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
			require.True(t, c.attach(first, rest), "%s:%d: %s", file, number, line)
		case first == "free" || first == "without":
			for _, name := range strings.Fields(rest) {
				map[string]map[string]bool{"free": tab.free, "without": tab.without}[first][name] = true
			}
		default:
			c := &conformanceCase{table: file, line: number, text: line}
			if rest, ok := strings.CutPrefix(line, "file "); ok {
				line, c.file = rest, tab.passed(t, dir)
			}
			c.request = strings.ReplaceAll(requestOf(line), "$DIR", dir)
			tab.cases = append(tab.cases, c)
		}
	}
}

// of are the cases of a file.
func (tab *table) of(file string) (all []*conformanceCase) {
	for _, c := range tab.cases {
		if c.table == file {
			all = append(all, c)
		}
	}
	return all
}

// passed is the file that is passed with requests.
func (tab *table) passed(t *testing.T, dir string) *os.File {
	t.Helper()
	if tab.file == nil {
		var err error
		tab.file, err = os.Create(filepath.Join(dir, "passed"))
		require.NoError(t, err)
		t.Cleanup(func() { tab.file.Close() })
		require.NoError(t, tab.file.Truncate(1<<20))
	}
	return tab.file
}

// attach takes an indented line.
func (c *conformanceCase) attach(word, rest string) bool {
	switch word {
	case "wait":
		name, text, ok := strings.Cut(rest, " ")
		c.wait = &awaited{name, strings.Fields(text)}
		return ok
	case "ends":
		c.ends = true
		return rest == ""
	case "fails":
		c.fails = rest
		return rest != ""
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
	conn    net.Conn
	said    chan *said // closed at the end
	version qmp.Version
}

// patience is how long a server may take for anything.
const patience = 20 * time.Second

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
	m.tell(&conformanceCase{request: `{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":"case"}`})
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

// tell gives a command and returns what the server says up to a marker behind it, and
// up to the event that is awaited; and, if that is not all, why.
func (m *monitor) tell(c *conformanceCase) (all []*said, end string) {
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
	timer := time.NewTimer(patience)
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
			if waiting && c.wait.is(s) {
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

// An outcome is what came of a command, as far as servers must agree.
type outcome struct {
	said  []string // events and replies, in order; of errors the class
	reply any      // what is determined of it
	end   string   // why nothing more is said
}

// loose events come before the reply or behind it, as it happens.
var loose = regexp.MustCompile(`^(JOB_|BLOCK_JOB_|DEVICE_DELETED|MIGRATION)`)

func (tab *table) outcome(all []*said, end string) outcome {
	o := outcome{end: end}
	var late []string
	for _, s := range all {
		if s.Event == "MIGRATION_PASS" { // there are as many as time allows
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

// told are files and threads in what the human monitor tells.
var told = regexp.MustCompile(`((?m)^[a-z0-9]+:|Backing file:) .*( \((?:[a-z0-9-]+(?:, read-only)?|chain depth: \d+)\)\r\n)|(thread_id=)\d+`)

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
		return told.ReplaceAllString(madeUp.ReplaceAllString(v, "made up"), "$1$3 made up$2")
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

// String tells the beginning of it.
func (d disagreement) String() string {
	const enough = 6
	more := ""
	if len(d) > enough {
		more = fmt.Sprintf("\n\tand %d more", len(d)-enough)
		d = d[:enough]
	}
	return strings.Join(d, "\n\t") + more
}

// socketDir is a folder for sockets, for which t.TempDir can be too long.
func socketDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "qmptest")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestQEMUConformance has a real QEMU of each release and the fake one told the same,
// and compares what they answer.
func TestQEMUConformance(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conform(t, q, "testdata/conformance.txt", nil)
	})
}

// TestQEMUConformanceOfManagers does so with another machine, and what managers ask and do
// besides.
func TestQEMUConformanceOfManagers(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conform(t, q, "testdata/conformance-managers.txt", nil)
	})
}

// conform tells a real QEMU and the fake one what a table has. Both have devices more, if
// there are.
func conform(t *testing.T, q qemutest.QEMU, file string, devices []string, opts ...qmptest.Option) {
	t.Helper()
	// Of the firmware the processor executes one instruction: halt.
	firmware := filepath.Join(t.TempDir(), "halt")
	require.NoError(t, os.WriteFile(firmware, bytes.Repeat([]byte{0xf4}, 1<<16), 0o600))
	args := []string{
		"-machine", "pc", "-accel", "tcg", "-m", "64", "-bios", firmware,
		"-device", "virtio-scsi-pci,id=scsi0", "-device", "ide-cd,id=cd0",
	}
	real := newMonitor(t, q.Start(t, "-qmp", append(args, devices...)...))
	w := &watched{TB: t}
	srv := qmptest.Start(w, append(opts, qmptest.Version(real.version))...)
	release := fmt.Sprintf("%d.%d", real.version.Major, real.version.Minor)
	if srv.Release() != release {
		t.Skipf("this is QEMU %s, which qmptest does not play", release)
	}
	tab := readTable(t, t.TempDir())
	tab.compare(t, file, srv, real, newMonitor(t, dialUnix(t, srv)))
	for _, report := range w.said() { // a case that is accepted
		assert.Contains(t, report, "nothing executes", "what the fake says of the test")
	}
}

// dialUnix connects to a server by a Unix socket.
func dialUnix(t *testing.T, srv *qmptest.Server) net.Conn {
	t.Helper()
	addr, err := srv.Listen("unix:" + filepath.Join(socketDir(t), "fake"))
	require.NoError(t, err)
	conn, err := net.Dial("unix", strings.TrimPrefix(addr, "unix:"))
	require.NoError(t, err)
	return conn
}

func (tab *table) compare(t *testing.T, file string, srv *qmptest.Server, real, fake *monitor) {
	t.Helper()
	release := srv.Release()
	s, err := qemu.Load(release, qemu.QMP)
	require.NoError(t, err)
	agree := 0
	for _, c := range tab.of(file) {
		want := tab.outcome(real.tell(c))
		differ := compare(want, tab.outcome(fake.tell(c)))
		place := c.place()
		assert.True(t, c.failsAsSaid(s, want), "%s\n\tQEMU does not fail with %s: %q", place, c.fails, want.said)
		reason := c.accepted(release)
		switch {
		case len(differ) == 0 && reason == "":
			agree++
		case len(differ) == 0:
			t.Errorf("%s\n\tthey agree, but a disagreement is accepted: %s", place, reason)
		case reason != "":
			t.Logf("%s\n\taccepted: %s", place, reason)
		default:
			t.Errorf("%s\n\t%s", place, differ)
		}
	}
	t.Logf("%s: %d of %d agree", release, agree, len(tab.of(file)))
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
	assert.Empty(t, compare(real, fake), "when a job's events come is not determined")
}

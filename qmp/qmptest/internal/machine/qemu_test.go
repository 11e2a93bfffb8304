package machine_test

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/release"
)

// A dialogue is a list of commands for a real QEMU and for the model.
type dialogue struct {
	t     *testing.T
	lines []string // commands with their arguments
	free  map[string]bool

	conn  net.Conn
	in    *jsontext.Decoder
	model *vm
}

// readDialogue reads a file that has one command with its arguments in each line. Lines
// that begin with # are comments, except two that are read.
func readDialogue(t *testing.T, q qemutest.QEMU, path string) *dialogue {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	d := &dialogue{t: t, model: newVM(t, release.Nearest(q.Release))}
	dir := t.TempDir()
	args := []string{"-bios", noFirmware(t)}
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasPrefix(line, "# with firmware"):
			args = nil
		case strings.HasPrefix(line, "# how far they are is free"):
			d.free = progress
		case line != "" && line[0] != '#':
			d.lines = append(d.lines, strings.ReplaceAll(line, "$DIR", dir))
		}
	}
	d.start(q, args...)
	return d
}

// start starts a QEMU with a machine like the model's.
func (d *dialogue) start(q qemutest.QEMU, args ...string) {
	d.t.Helper()
	d.conn = q.Start(d.t, "-qmp", append(args, "-machine", "pc", "-accel", "tcg", "-m", "64",
		"-device", "virtio-scsi-pci,id=scsi0", "-device", "ide-cd,id=cd0")...)
	d.in = jsontext.NewDecoder(d.conn)
	_, greeted := d.next()
	require.True(d.t, greeted)
	d.execute("qmp_capabilities", "{}", 1)
}

// noFirmware returns a file for -bios, whose only instruction is halt.
func noFirmware(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "halt")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("\xf4", 1<<16)), 0o600))
	return path
}

// next returns QEMU's next message; none if it stays silent.
func (d *dialogue) next() (message map[string]jsontext.Value, ok bool) {
	d.t.Helper()
	require.NoError(d.t, d.conn.SetReadDeadline(time.Now().Add(time.Minute)))
	err := json.UnmarshalDecode(d.in, &message)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		require.NoError(d.t, err)
	}
	return message, err == nil
}

// execute executes a command and returns QEMU's reply and events: so many that their essence
// has the given number of parts.
func (d *dialogue) execute(command, args string, parts int) []string {
	d.t.Helper()
	_, err := fmt.Fprintf(d.conn, `{"execute":"%s","arguments":%s}`, command, args)
	require.NoError(d.t, err)
	var said []string
	for replied := false; !replied || len(d.essence(said)) < parts; {
		message, ok := d.next()
		switch {
		case !ok:
			return said
		case message["event"] != nil:
			data := message["data"]
			if data == nil {
				data = jsontext.Value("{}")
			}
			said = append(said, strings.Trim(string(message["event"]), `"`)+" "+string(data))
		case message["error"] != nil:
			var refusal struct{ Class, Desc string }
			require.NoError(d.t, json.Unmarshal(message["error"], &refusal, json.MatchCaseInsensitiveNames(true)))
			said, replied = append(said, fmt.Sprintf("error %s: %s", refusal.Class, refusal.Desc)), true
		default:
			said, replied = append(said, "return "+string(message["return"])), true
		}
	}
	return said
}

// free are the members in which QEMU and the model may differ.
var free = map[string]bool{
	"thread-id": true, "filename": true, "file": true, "backing_file": true, "backing-filename": true,
	"full-backing-filename": true, "backing-image": true, "actual-size": true, "format-specific": true,
	"dirty-flag": true, "limits": true, "cluster-size": true, "reason": true, "error": true,
}

// progress are those that are so in dialogues that say that it is free.
var progress = map[string]bool{"offset": true, "len": true, "current-progress": true, "total-progress": true}

// loose events come before the reply or after it.
var loose = regexp.MustCompile(`^(JOB_|BLOCK_JOB_|DEVICE_DELETED)`)

// An utterance is an event, a reply or an error, as far as QEMU and the model
// should agree.
type utterance struct {
	What string // the event's name, "return", or the class of the error
	Data any
}

// essence returns the messages without the members that may differ. Loose events are put after
// the reply, and a job's interludes, short pauses in which other work is done, are left out.
func (d *dialogue) essence(said []string) []utterance {
	d.t.Helper()
	var all []utterance
	for _, line := range said {
		what, data, _ := strings.Cut(line, " ")
		if what == "error" {
			what, _, _ = strings.Cut(data, ":")
			all = append(all, utterance{"error " + what, nil})
			continue
		}
		var v any
		require.NoError(d.t, json.Unmarshal([]byte(data), &v), "%s", line)
		all = append(all, utterance{what, d.pruned(v)})
	}
	if slices.ContainsFunc(all, func(u utterance) bool { return loose.MatchString(u.What) }) {
		slices.SortStableFunc(all, func(a, b utterance) int { return order(a) - order(b) })
	}
	for i := 0; i+1 < len(all); {
		if interlude(all[i], all[i+1]) {
			all = slices.Delete(all, i, i+2)
		} else {
			i++
		}
	}
	return all
}

func order(u utterance) int {
	if u.What == "return" || strings.HasPrefix(u.What, "error") {
		return 0
	}
	return 1
}

// interlude reports whether two events are a short pause of a job.
func interlude(a, b utterance) bool {
	status := func(u utterance) any {
		data, _ := u.Data.(map[string]any)
		return data["status"]
	}
	return a.What == "JOB_STATUS_CHANGE" &&
		(status(a) == "paused" && status(b) == "running" || status(a) == "standby" && status(b) == "ready")
}

// pruned returns a value without the members that may differ, and with sorted lists.
func (d *dialogue) pruned(v any) any {
	switch v := v.(type) {
	case map[string]any:
		maps.DeleteFunc(v, func(name string, _ any) bool { return free[name] || d.free[name] })
		for name := range v {
			v[name] = d.pruned(v[name])
		}
	case []any:
		for i := range v {
			v[i] = d.pruned(v[i])
		}
		slices.SortStableFunc(v, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	case string:
		if strings.HasPrefix(v, "#block") {
			return "#block"
		}
	}
	return v
}

// TestQEMUDialogues runs the dialogues of testdata with real QEMUs and with the
// model, and compares the answers.
func TestQEMUDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, file := range files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
				d := readDialogue(t, q, file)
				for _, line := range d.lines {
					d.compare(line)
				}
			})
		}
	})
}

func (d *dialogue) compare(line string) {
	d.t.Helper()
	command, args, ok := strings.Cut(line, " ")
	if !ok {
		args = "{}"
	}
	got := d.essence(d.model.execute(command, args))
	want := d.essence(d.execute(command, args, len(got)))
	assert.Empty(d.t, cmp.Diff(want, got), "%s: - QEMU, + model", line)
	if len(want) < len(got) {
		d.t.FailNow() // it has not said more for a long time
	}
}

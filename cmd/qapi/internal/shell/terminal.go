package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/term"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qmp"
)

// A terminal is the face for people.
type terminal struct {
	term    *term.Terminal
	keys    *keys
	history *history
	colour  bool
	width   func() (columns, rows int)
	restore func()

	complete func(ctx context.Context, words []string, last string) []complete.Candidate

	mu    sync.Mutex
	lines strings.Builder // events that are not shown yet
	shown time.Time       // when the last were
	later *time.Timer     // shows them; nil: there are none
}

// pause is the time between two events that are shown; those that come within it are shown
// together. Each time the line that is being typed is written again.
const pause = 30 * time.Millisecond

// openFace opens the terminal, if input and output are one that can be edited on.
func (s *session) openFace() (face, error) {
	in, isFile := s.In.(*os.File)
	out, isFileToo := s.Out.(*os.File)
	if !isFile || !isFileToo || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) || os.Getenv("TERM") == "dumb" {
		return newLines(s.In, s.Out, s.Err), nil
	}
	before, err := term.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	h, problem := openHistory(s.HistoryFile)
	t := newTerminal(in, out, h)
	t.colour = s.Colour
	t.complete = s.complete
	t.width = func() (int, int) {
		columns, rows, err := term.GetSize(int(out.Fd()))
		if err != nil || columns < 1 || rows < 1 {
			return 80, 24
		}
		return columns, rows
	}
	stop := onResize(t.resize)
	t.resize()
	t.term.SetBracketedPasteMode(true)
	t.restore = func() {
		stop()
		t.term.SetBracketedPasteMode(false)
		_ = term.Restore(int(in.Fd()), before) // nothing can be done about it
	}
	if problem != nil {
		t.say("what is typed is not kept: " + problem.Error())
	}
	v := s.Client.Conn().Greeting().Version
	t.say(fmt.Sprintf("QEMU %d.%d.%d; Tab completes, :help helps, Ctrl-D ends", v.Major, v.Minor, v.Micro))
	return t, nil
}

func newTerminal(in io.Reader, out io.Writer, h *history) *terminal {
	t := &terminal{keys: readKeys(in), history: h, width: func() (int, int) { return 80, 24 }, restore: func() {}}
	t.term = term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{t.keys, out}, "")
	t.term.History = h
	t.term.AutoCompleteCallback = t.key
	return t
}

func (t *terminal) resize() {
	_ = t.term.SetSize(t.width()) // that of a writer that fails
}

func (t *terminal) readLine(ctx context.Context, prompt string) (string, error) {
	defer context.AfterFunc(ctx, t.keys.close)()
	t.term.SetPrompt(prompt)
	line, err := t.term.ReadLine()
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, term.ErrPasteIndicator):
		err = nil
	case err != nil:
		t.print("\n") // the shell's prompt goes on a line of its own
	}
	return line, err
}

func (t *terminal) secret(_ context.Context, prompt string) (string, error) {
	defer t.keys.leaving()()
	text, err := t.term.ReadPassword(prompt)
	if errors.Is(err, io.EOF) {
		t.print("\n")
		err = context.Canceled
	}
	return text, err
}

func (t *terminal) event(e qmp.Event) {
	text := e.Name
	if !e.Timestamp.IsZero() {
		text = e.Timestamp.Local().Format("15:04:05 ") + text
	}
	text = printable.String(text)
	if e.Data != nil {
		text += " " + oneLine(jsontext.Value(e.Data), true)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines.WriteString(t.paint("2", text) + "\n")
	if t.later == nil {
		t.later = time.AfterFunc(max(0, pause-time.Since(t.shown)), t.flush)
	}
}

// flush shows the events that are not shown yet.
func (t *terminal) flush() { t.print("") }

// print shows a text after the events that came before it.
func (t *terminal) print(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.later != nil {
		t.later.Stop()
		t.later = nil
	}
	text = t.lines.String() + text
	t.lines.Reset()
	if text != "" {
		// The editor clears the line that is being typed only as far as the cursor.
		_, _ = io.WriteString(t.term, eraseBelow+text) // a terminal that is gone has no reader
	}
	t.shown = time.Now()
}

const eraseBelow = "\x1b[J"

// paint gives a text a colour or a style, by its number.
func (t *terminal) paint(style, text string) string {
	if !t.colour {
		return text
	}
	return "\x1b[" + style + "m" + text + "\x1b[m"
}

func (t *terminal) reply(r reply) {
	columns, _ := t.width()
	t.print(forPeople(r.value, columns) + "\n")
}

func (t *terminal) failure(err error) {
	text := describe(err)
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
		if errors.Is(err, qmp.ErrAbandoned) {
			text += "; QEMU may go on with it"
		}
	}
	t.print(t.paint("31", text) + "\n")
}

func (t *terminal) say(text string) {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(printable.String(strings.TrimSuffix(line, "\n")) + "\n")
	}
	t.print(b.String())
}

func (t *terminal) during(cancel func()) func() { return t.keys.during(cancel) }

func (t *terminal) keep(line string, save bool) { t.history.keep(line, save) }

func (t *terminal) close() error {
	t.flush()
	t.keys.close()
	t.restore()
	t.history.close()
	return nil
}

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
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
	xterm "golang.org/x/term"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qmp"
)

// A terminal is the frontend for people.
type terminal struct {
	editor  *xterm.Terminal
	screen  *term.Output
	keys    *keys
	history *history
	restore func()

	complete func(ctx context.Context, words []string, last string) []complete.Candidate
	listed   string // the text for which the last key, a Tab, has listed the candidates

	mu    sync.Mutex
	left  bool            // the editor is not used any more
	lines strings.Builder // events that are not shown yet
	shown time.Time       // when events were last shown
	later *time.Timer     // shows the waiting events; nil: there are none
}

// pause is the time between two outputs of events; events that come within it are shown
// together. Each time, the line that is being typed is written again.
const pause = 30 * time.Millisecond

// openFrontend opens the terminal, if input and output are a terminal on which lines can be edited.
func (s *session) openFrontend() (frontend, error) {
	in, isFile := s.In.(*os.File)
	if !isFile || !xterm.IsTerminal(int(in.Fd())) || !s.Out.Redraws() {
		return newLines(s.In, s.Out, s.Err), nil
	}
	before, err := xterm.MakeRaw(int(in.Fd()))
	if err != nil {
		return nil, err
	}
	h, problem := openHistory(s.HistoryFile)
	t := newTerminal(in, s.Out, h)
	t.complete = s.complete
	stop := onResize(t.resize)
	t.resize()
	t.editor.SetBracketedPasteMode(true)
	t.restore = func() {
		stop()
		t.editor.SetBracketedPasteMode(false)
		_ = xterm.Restore(int(in.Fd()), before) // nothing can be done about it
	}
	if problem != nil {
		t.say("what is typed is not kept: " + problem.Error())
	}
	v := s.Client.Conn().Greeting().Version
	t.say(fmt.Sprintf("QEMU %d.%d.%d; Tab completes, :help helps, Ctrl-D ends", v.Major, v.Minor, v.Micro))
	return t, nil
}

func newTerminal(in io.Reader, screen *term.Output, h *history) *terminal {
	t := &terminal{screen: screen, keys: readKeys(in), history: h, restore: func() {}}
	t.editor = xterm.NewTerminal(struct {
		io.Reader
		io.Writer
	}{t.keys, screen}, "")
	t.editor.History = h
	t.editor.AutoCompleteCallback = t.key
	return t
}

func (t *terminal) resize() {
	_ = t.editor.SetSize(t.screen.Size()) // the only error is that of a writer
}

func (t *terminal) readLine(ctx context.Context, prompt string) (string, error) {
	defer context.AfterFunc(ctx, t.keys.close)()
	t.editor.SetPrompt(prompt)
	line, err := t.editor.ReadLine()
	if errors.Is(err, xterm.ErrPasteIndicator) {
		err = nil
	}
	if utf8.RuneCountInString(line) == mostCharacters {
		t.failure(exit.Usagef("the line may be cut off: it can have %d characters; NAME=@FILE can have more", mostCharacters-1))
		return "", err
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		t.leave()
	}
	return line, err
}

// readMore reads the continuation of a line; Ctrl-C cancels the whole line.
func (t *terminal) readMore(ctx context.Context, prompt string) (string, error) {
	typed, cancel := context.WithCancel(ctx)
	defer cancel()
	defer t.keys.leaving(cancel)()
	line, err := t.readLine(ctx, prompt)
	if err == nil && typed.Err() != nil {
		err = errForgotten
	}
	return line, err
}

func (t *terminal) secret(ctx context.Context, prompt string) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer t.keys.leaving(cancel)()
	text, err := t.editor.ReadPassword(prompt)
	if err == nil {
		err = ctx.Err()
	}
	return text, err
}

// mostCharacters is the largest length of a line; the editor drops the rest.
const mostCharacters = 4096

// leave begins a new line, and from then on does not use the editor, which would write again
// what was being typed.
func (t *terminal) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.left {
		_, _ = io.WriteString(t.screen, "\r\n")
	}
	t.left = true
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
	t.lines.WriteString(t.screen.In(term.Dim, text) + "\n")
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
	switch {
	case t.left:
		_, _ = io.WriteString(t.screen, strings.ReplaceAll(text, "\n", "\r\n"))
	case text != "":
		// The editor clears the line that is being typed only as far as the cursor.
		_, _ = io.WriteString(t.editor, eraseBelow+text) // a closed terminal has no reader
	}
	t.shown = time.Now()
}

const eraseBelow = "\x1b[J"

func (t *terminal) reply(r reply) {
	columns, _ := t.screen.Size()
	t.print(forPeople(r.value, columns) + "\n")
}

func (t *terminal) failure(err error) {
	text := describe(err)
	if errors.Is(err, context.Canceled) {
		text = "interrupted"
		if errors.Is(err, qmp.ErrAbandoned) {
			text += "; QEMU may continue to execute it"
		}
	}
	t.print(t.screen.In(term.Red, text) + "\n")
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

package record

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

const (
	format  = "qmp-record"
	version = 1
)

// The sides of a session.
const (
	client = "client"
	server = "server"
)

// A tape writes a recording.
type tape struct {
	mu    sync.Mutex
	w     io.Writer
	start time.Time
	err   error // why writing the recording has failed
	ended bool
	sides map[string]*splitter

	secrets secrets
}

func newTape(w io.Writer) *tape {
	t := &tape{w: w, start: time.Now()}
	t.sides = map[string]*splitter{client: t.splitter(client), server: t.splitter(server)}
	t.write(fmt.Appendf(nil, `{"format":%q,"version":%d,"start":%q}`, format, version, t.start.UTC().Format(time.RFC3339)))
	return t
}

func (t *tape) splitter(from string) *splitter {
	return &splitter{
		message: func(text []byte) {
			if clean, ok := t.secrets.without(from, text); ok {
				t.line(from, "message", clean)
			} else {
				t.line(from, "noise", strconv.AppendInt(nil, int64(len(text)), 10))
			}
		},
		noise: func(n int) { t.line(from, "noise", strconv.AppendInt(nil, int64(n), 10)) },
	}
}

// record records a piece of the stream from one side.
func (t *tape) record(from string, piece []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended {
		t.sides[from].feed(piece)
	}
}

// end writes the last line, unless that was done.
func (t *tape) end(from, how string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return
	}
	t.ended = true
	t.sides[client].flush()
	t.sides[server].flush()
	t.line(from, "end", strconv.AppendQuote(nil, how))
}

func (t *tape) line(from, what string, value []byte) {
	t.write(fmt.Appendf(nil, `{"us":%d,"from":%q,%q:%s}`, time.Since(t.start).Microseconds(), from, what, value))
}

// write writes a line in one piece.
func (t *tape) write(line []byte) {
	if t.err == nil {
		_, t.err = t.w.Write(append(line, '\n'))
	}
}

// failure returns why the recording is incomplete; nil if it is complete.
func (t *tape) failure() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err != nil {
		return fmt.Errorf("record: the recording is incomplete: %w", t.err)
	}
	return nil
}

// howItEnded describes the error of a read for the last line.
func howItEnded(err error) string {
	if errors.Is(err, io.EOF) {
		return "EOF"
	}
	return "broken" // the texts of errors change, the format must not
}

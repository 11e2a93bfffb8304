package record

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/goqapi/goqapi/internal/regular"
)

// A Session is a recorded session.
type Session struct {
	name     string // of the file
	qmp      bool   // it has a greeting, so the server is not an agent
	noise    bool   // the client sent something that is not JSON
	commands []*command
	prelude  []output // those before the first command
	outputs  []output // all of them
}

// A command is a command of the client.
type command struct {
	line    int
	value   map[string]any // without its id
	text    []byte         // as recorded
	id      string         // compact; "" if it had none
	outputs []output       // that came after it
	replied bool
	probe   bool // each client issues it when it needs to, so it need not come in a replay
}

// An output is something that the server did.
type output struct {
	message []byte // nil: it ended the session
	after   int    // the index of the command without which it would not have come; -1: none
	reply   bool   // it is the reply to that command
	stray   bool   // it is a reply that answers no command
}

// Open loads a recording from a file.
func Open(path string) (*Session, error) {
	f, err := regular.Open(path)
	if err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	defer f.Close()
	return load(path, f)
}

// Load reads a recording. An error names the line, and the file if r is one.
func Load(r io.Reader) (*Session, error) {
	name := "recording"
	if f, ok := r.(interface{ Name() string }); ok {
		name = f.Name()
	}
	return load(name, r)
}

func load(name string, r io.Reader) (*Session, error) {
	l := &loader{session: &Session{name: name}, syncs: agentSyncs{by: map[string][]int{}}, waiting: map[string][]int{}}
	in := bufio.NewReader(r)
	for {
		text, err := readLine(in)
		if err == nil || len(text) > 0 {
			l.line++
			if wrong := l.take(bytes.TrimRight(text, "\r\n"), err); wrong != nil {
				return nil, fmt.Errorf("record: %s:%d: %w", name, l.line, wrong)
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("record: %s: %w", name, err)
		}
	}
	if l.line == 0 {
		return nil, fmt.Errorf("record: %s: it is empty", name)
	}
	l.place()
	return l.session, nil
}

// maxLine is how long a line may be.
const maxLine = maxMessage + 1024

func readLine(in *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		piece, err := in.ReadSlice('\n')
		line = append(line, piece...)
		if len(line) > maxLine {
			return line, fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

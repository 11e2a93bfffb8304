package shell

import (
	"bytes"
	"strings"
	"sync"
)

// Notes are lines that another program writes, such as the warnings of a QEMU that was started for the
// session. They are an io.Writer, and are shown from the start of the session on.
type Notes struct {
	Name string // the name of the program

	mu   sync.Mutex
	rest []byte
	say  func(string)
}

// mostNotes is how many bytes are kept before the session has started, and of a line that does not
// end.
const mostNotes = 64 << 10

func (n *Notes) Write(b []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.rest = append(n.rest, b...)
	n.rest = n.rest[max(0, len(n.rest)-mostNotes):]
	n.flush()
	return len(b), nil
}

// to makes say show the lines; nil: they are not shown any more.
func (n *Notes) to(say func(string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.say = say
	n.flush()
}

func (n *Notes) flush() {
	end := bytes.LastIndexByte(n.rest, '\n')
	if n.say == nil || end < 0 && len(n.rest) < mostNotes {
		return
	}
	text := n.rest[:end+1]
	if end < 0 {
		text = n.rest
	}
	for line := range strings.Lines(string(text)) {
		n.say(n.Name + ": " + strings.TrimPrefix(strings.TrimRight(line, "\r\n"), n.Name+": "))
	}
	n.rest = n.rest[len(text):]
}

package shell

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qmp"
)

// lines is the frontend for programs: it reads lines, and writes replies and events as lines of JSON.
// Each command has one line, its reply; events are in between.
type lines struct {
	errOut io.Writer
	read   chan string
	closed chan struct{}
	number int // the number of the line that is being executed

	mu  sync.Mutex
	out io.Writer
}

// mostLine is how long a line may be.
const mostLine = 64 << 20

func newLines(in io.Reader, out, errOut io.Writer) *lines {
	l := &lines{out: out, errOut: errOut, read: make(chan string), closed: make(chan struct{})}
	go func() {
		defer close(l.read)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, mostLine)
		for scanner.Scan() {
			select {
			case l.read <- scanner.Text():
			case <-l.closed:
				return
			}
		}
		if err := scanner.Err(); err != nil {
			l.failure(err)
		}
	}()
	return l
}

func (l *lines) readLine(ctx context.Context, _ string) (string, error) {
	select {
	case line, ok := <-l.read:
		if !ok {
			return "", io.EOF
		}
		l.number++
		return line, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (l *lines) readMore(ctx context.Context, prompt string) (string, error) {
	return l.readLine(ctx, prompt)
}

func (l *lines) secret(context.Context, string) (string, error) {
	return "", exit.Usagef("the input is not a terminal, so a secret cannot be typed; use NAME=@FILE")
}

func (l *lines) event(e qmp.Event) { l.line(eventJSON(e)) }

func (l *lines) reply(r reply) {
	if r.whole {
		l.line(r.value)
		return
	}
	l.line(answerJSON(r.value, nil))
}

func (l *lines) failure(err error) {
	class, desc := "", exit.Explain(err)
	if refused, ok := errors.AsType[*qmp.Error](err); ok {
		class, desc = refused.Class, refused.Desc
	}
	l.line(errorJSON(class, desc))
	fmt.Fprintf(l.errOut, "qapi: line %d: %s\n", l.number, describe(err))
}

// line writes JSON as a line.
func (l *lines) line(text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = io.WriteString(l.out, oneLine(text, false)+"\n") // if the reader has ended, the output is not needed
}

// say writes to standard error, where people look.
func (l *lines) say(text string) {
	for line := range strings.Lines(text) {
		fmt.Fprintln(l.errOut, printable.String(strings.TrimSuffix(line, "\n")))
	}
}

func (l *lines) print(text string) { _, _ = io.WriteString(l.errOut, text) }

func (l *lines) during(func()) func() { return func() {} }

func (l *lines) keep(string, bool) {}

func (l *lines) close() error {
	close(l.closed)
	return nil
}

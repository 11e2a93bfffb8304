package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	xterm "golang.org/x/term"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
)

// sources returns what the words of a command can refer to.
func (a *app) sources(ctx context.Context) arguments.Sources {
	return arguments.Sources{Stdin: a.private(ctx)}
}

// badWords returns the error for wrong words, or for a user who did not type a secret.
func badWords(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return exit.With(exit.Usage, err)
}

// private returns standard input. At a terminal it is one line that is not shown, since it is
// likely to be a secret.
func (a *app) private(ctx context.Context) io.Reader {
	file, ok := a.in.(*os.File)
	if !ok || !xterm.IsTerminal(int(file.Fd())) {
		return &endingReader{ctx, a.in}
	}
	return &hiddenLine{ctx: ctx, file: file, prompt: a.errOut}
}

// An endingReader reads until the context ends: the writer of a pipe may never close it.
type endingReader struct {
	ctx  context.Context
	from io.Reader
}

func (r *endingReader) Read(p []byte) (int, error) {
	text, err := untilEnd(r.ctx, func() ([]byte, error) {
		own := make([]byte, len(p)) // not p itself, which belongs to the caller again when the context ends
		n, err := r.from.Read(own)
		return own[:n], err
	})
	return copy(p, text), err
}

// untilEnd returns what read returns, or the error of the context if that ends first.
func untilEnd(ctx context.Context, read func() ([]byte, error)) ([]byte, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A hiddenLine reads a line from a terminal without showing it.
type hiddenLine struct {
	ctx    context.Context
	file   *os.File
	prompt io.Writer
	line   []byte
	isRead bool
}

func (h *hiddenLine) Read(p []byte) (int, error) {
	if !h.isRead {
		h.isRead = true
		fmt.Fprint(h.prompt, "qapi: type it, it is not shown: ")
		line, err := h.read()
		fmt.Fprintln(h.prompt)
		if err != nil {
			return 0, err
		}
		h.line = line
	}
	n := copy(p, h.line)
	h.line = h.line[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// read reads the line until the context ends. After that the terminal shows again what is typed.
func (h *hiddenLine) read() ([]byte, error) {
	fd := int(h.file.Fd())
	before, err := xterm.GetState(fd)
	if err = errors.Join(err, h.ctx.Err()); err != nil {
		return nil, err
	}
	line, err := untilEnd(h.ctx, func() ([]byte, error) { return xterm.ReadPassword(fd) })
	if err != nil && h.ctx.Err() != nil {
		err = errors.Join(err, xterm.Restore(fd, before))
	}
	return line, err
}

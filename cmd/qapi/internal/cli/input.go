package cli

import (
	"fmt"
	"io"
	"os"

	xterm "golang.org/x/term"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
)

// sources returns what the words of a command can refer to.
func (a *app) sources() arguments.Sources { return arguments.Sources{Stdin: a.private()} }

// private returns standard input. At a terminal it is one line that is not shown, since it is
// likely to be a secret.
func (a *app) private() io.Reader {
	file, ok := a.in.(*os.File)
	if !ok || !xterm.IsTerminal(int(file.Fd())) {
		return a.in
	}
	return &hiddenLine{file: file, prompt: a.errOut}
}

// A hiddenLine reads a line from a terminal, which does not show it.
type hiddenLine struct {
	file   *os.File
	prompt io.Writer
	line   []byte
	isRead bool
}

func (h *hiddenLine) Read(p []byte) (int, error) {
	if !h.isRead {
		h.isRead = true
		fmt.Fprint(h.prompt, "qapi: type it, it is not shown: ")
		line, err := xterm.ReadPassword(int(h.file.Fd()))
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

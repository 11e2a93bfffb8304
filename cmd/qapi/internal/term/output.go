// Package term writes for people who read in a terminal: a few colours, lines that fit,
// progress that is drawn again in its place, and text of servers and guests, which must not
// change the terminal. If there is no terminal, it writes plain text.
package term

import (
	"io"

	xterm "golang.org/x/term"

	"github.com/goqapi/goqapi/internal/printable"
)

// An Output is where a program writes, which may be a terminal.
type Output struct {
	io.Writer
	terminal bool
	redraws  bool // the terminal understands escape sequences
	colours  bool
	size     func() (width, height int)
}

// The size of a terminal if it is not known.
const (
	defaultWidth  = 80
	defaultHeight = 24
)

// New returns an output that writes to w. Env returns variables of the environment: NO_COLOR
// turns colours off, and TERM=dumb turns off everything that needs escape sequences.
func New(w io.Writer, env func(string) string) *Output {
	o := &Output{Writer: w, size: func() (int, int) { return defaultWidth, defaultHeight }}
	file, ok := w.(interface{ Fd() uintptr })
	if !ok || !xterm.IsTerminal(int(file.Fd())) {
		return o
	}
	o.terminal = true
	o.redraws = env("TERM") != "" && env("TERM") != "dumb" || env("WT_SESSION") != "" // Windows has no TERM
	o.colours = o.redraws && env("NO_COLOR") == ""
	o.size = func() (int, int) {
		width, height, err := xterm.GetSize(int(file.Fd()))
		if err != nil || width <= 0 || height <= 0 {
			return defaultWidth, defaultHeight
		}
		return width, height
	}
	return o
}

// Terminal returns an output for tests, which writes as if to a terminal of that size with colours.
func Terminal(w io.Writer, width, height int) *Output {
	return &Output{Writer: w, terminal: true, redraws: true, colours: true, size: func() (int, int) { return width, height }}
}

// IsTerminal reports whether the output is a terminal, which people read at once.
func (o *Output) IsTerminal() bool { return o.terminal }

// Redraws reports whether the output is a terminal on which something can be drawn again.
func (o *Output) Redraws() bool { return o.redraws }

// Size returns the columns and lines of the terminal as it is now; 80 and 24 if it is not one.
func (o *Output) Size() (width, height int) { return o.size() }

// A Style is how text looks on a terminal with colours.
type Style string

// The styles.
const (
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
)

// In returns a text in a style; without colours it returns the text unchanged.
func (o *Output) In(s Style, text string) string {
	if !o.colours || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[m"
}

// Escape returns text from a server, a guest or an image as one line that cannot control
// a terminal.
func Escape(text string) string { return printable.String(text) }

// Foreign returns a writer for text of a guest: on a terminal the text can only begin
// new lines, elsewhere it is written unchanged.
func (o *Output) Foreign() io.Writer {
	if !o.terminal {
		return o.Writer
	}
	return &escaper{w: o.Writer}
}

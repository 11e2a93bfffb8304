package term

import (
	"fmt"
	"strings"
)

// A Screen is a whole terminal on which a picture is drawn again and again. The former
// content of the terminal comes back at the end.
type Screen struct{ out *Output }

// NewScreen switches the terminal to a screen. End must be called.
func NewScreen(out *Output) *Screen {
	fmt.Fprint(out, "\x1b[?1049h\x1b[?25l") // another screen, without the cursor
	return &Screen{out}
}

// Draw shows lines; lines that do not fit are left out. Lines must not be too long, see [Cut].
func (s *Screen) Draw(lines []string) {
	_, height := s.out.Size()
	lines = lines[:min(len(lines), height)]
	// A line is erased before it is written: in the last column that would erase a character.
	fmt.Fprint(s.out, "\x1b[H\x1b[K"+strings.Join(lines, "\r\n\x1b[K")+"\x1b[J")
}

// End restores the terminal.
func (s *Screen) End() { fmt.Fprint(s.out, "\x1b[?25h\x1b[?1049l") }

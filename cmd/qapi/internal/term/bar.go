package term

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// Progress is how far something is, as packages job and migration report it.
type Progress struct {
	Name  string // what is being done, such as "m0  mirror"
	State string // such as "running"; may be empty
	// Done and Total are bytes, unless Count is set. Total is 0 if it is not known.
	Done, Total int64
	Count       bool
	Percent     float64       // from 0 to 100
	Rate        float64       // the growth of Done in a second; 0 if it is not known
	Left        time.Duration // 0 if it is not known
}

// A Bar is a line at the end of a terminal that shows progress. On other outputs it shows
// nothing. Its methods may be called by several goroutines.
type Bar struct {
	out *Output

	mu    sync.Mutex
	last  Progress
	began time.Time // when it was shown first
	drawn time.Time // when it was drawn last; zero if it is not shown
}

// NewBar returns a bar, which is shown from the first [Bar.Show] on. Use it with standard error.
func NewBar(out *Output) *Bar { return &Bar{out: out} }

// settled is how long something must have been measured before its rate has a meaning.
const settled = time.Second

// between is the time between two drawings in the same state.
const between = 100 * time.Millisecond

// Show draws the bar, unless it was drawn a moment before.
func (b *Bar) Show(p Progress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	again := !b.drawn.IsZero() && p.State == b.last.State && p.Name == b.last.Name && time.Since(b.drawn) < between
	if b.began.IsZero() {
		b.began = time.Now()
	}
	if time.Since(b.began) < settled {
		p.Rate, p.Left = 0, 0
	}
	b.last = p
	if !again {
		b.draw()
	}
}

func (b *Bar) draw() {
	if !b.out.redraws {
		return
	}
	width, _ := b.out.Size()
	fmt.Fprintf(b.out, "\r%s\x1b[K", b.out.line(b.last, width-reserved))
	b.drawn = time.Now()
}

// Around removes the bar, calls f, which may write lines to the terminal, and draws it again.
func (b *Bar) Around(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	there := b.erase()
	f()
	if there {
		b.draw()
	}
}

// End removes the bar.
func (b *Bar) End() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.erase()
}

// reserved is how many columns stay free: two for the ^C that terminals show, and the last one, after which
// some terminals begin a new line.
const reserved = 3

// erase removes the bar, and reports whether it was shown.
func (b *Bar) erase() bool {
	if b.drawn.IsZero() {
		return false
	}
	fmt.Fprint(b.out, "\r\x1b[K")
	b.drawn = time.Time{}
	return true
}

// The widths of the bar itself.
const (
	widest    = 40
	narrowest = 5
)

// line returns progress as a line of at most so many columns. What does not fit is left out:
// first the state, then the rate, the time that is left, and the bar.
func (o *Output) line(p Progress, width int) string {
	name, state := Escape(p.Name), Escape(p.State)
	var rate, left, percent string
	if p.Rate > 0 {
		rate = p.amount(p.Rate) + "/s"
	}
	if p.Left > 0 {
		left = Duration(p.Left) + " left"
	}
	if percent = fmt.Sprintf("%6s", Percent(p.Percent)); p.Total <= 0 {
		percent = p.amount(float64(p.Done))
	}
	for _, parts := range [][]string{{percent, rate, left, state}, {percent, rate, left}, {percent, left}, {percent}} {
		text := join(parts)
		room := width - Width(name) - Width(text) - 3 // a blank, and the ends of the bar
		switch {
		case p.Total <= 0 && room >= -1:
			return name + "  " + text
		case p.Total > 0 && room >= narrowest:
			return name + " ▕" + o.In(Cyan, blocks(p.Percent, min(room, widest))) + "▏" + text
		}
	}
	return Cut(Cut(name, max(width-len(percent)-2, width/2))+"  "+strings.TrimSpace(percent), width)
}

// join joins the parts that are not empty.
func join(parts []string) string {
	text := ""
	for _, part := range parts {
		if part != "" && text != "" {
			text += "  "
		}
		text += part
	}
	return text
}

func (p Progress) amount(n float64) string {
	if p.Count {
		return fmt.Sprintf("%.0f", n)
	}
	return Size(n)
}

// blocks returns a bar of so many columns, with a last block of as many eighths as are left.
func blocks(percent float64, width int) string {
	const eighths = "▏▎▍▌▋▊▉"
	full := int(min(max(percent, 0), 100) / 100 * float64(8*width))
	bar := strings.Repeat("█", full/8)
	if rest := full % 8; rest > 0 {
		bar += string([]rune(eighths)[rest-1])
	}
	return Pad(bar, width)
}

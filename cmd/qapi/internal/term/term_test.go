package term

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/tmuxtest"
)

// Run as a program of its own, this test draws something.
func TestMain(m *testing.M) {
	if tmuxtest.Program() == "draw" {
		draw(os.Args[1])
		return
	}
	os.Exit(m.Run())
}

// hostile is what a guest could send to control a terminal: another title, a cleared screen,
// colours, a cursor elsewhere, a line that hides another one, the other character set, a bell.
const hostile = "\x1b]0;owned\x07\x1b[2J\x1b[H\x1b[31mred\u009b31m\rhidden\x1b[5;5H\x0e\b\u202eabc\x00"

func draw(what string) {
	out := New(os.Stdout, os.Getenv)
	bar := NewBar(out)
	switch what {
	case "bar":
		bar.began = time.Now().Add(-settled)
		bar.Show(Progress{Name: "m0  mirror", State: "running", Done: 137 << 20, Total: 1 << 30, Percent: 12.89, Rate: 291.4 * (1 << 20), Left: 25 * time.Second})
		bar.Around(func() { os.Stdout.WriteString("m0 is paused\n") })
		_, _ = os.Stdin.Read(make([]byte, 1))
		bar.End()
	case "hostile":
		_, _ = out.Foreign().Write([]byte("one\ntwo " + hostile + "\n"))
		os.Stdout.WriteString(out.In(Bold, Escape(hostile)) + "\n")
		bar.Show(Progress{Name: hostile, State: hostile})
		os.Stdout.WriteString("\n")
	case "red":
		os.Stdout.WriteString(out.In(Red, "red") + "\n")
	case "screen":
		s := NewScreen(out)
		width, _ := out.Size()
		s.Draw([]string{strings.Repeat("x", width), "second"})
		s.Draw([]string{strings.Repeat("y", width)})
		_, _ = os.Stdin.Read(make([]byte, 1))
		s.End()
	}
}

func TestBarInTerminal(t *testing.T) {
	for name, width := range map[string]int{"bar": 80, "bar-narrow": 40} {
		term := tmuxtest.Shell(t, tmuxtest.Options{Width: width, Height: 6}, "draw")
		term.Type("draw bar").Press("Enter").Wait("12.8%")
		term.Golden(name)
		term.Press("C-d").Run("echo it is gone") // an Enter would be shown
		assert.Equal(t, "$ draw bar\nm0 is paused\n$ echo it is gone\nit is gone\n$", term.Screen())
	}
}

func TestScreenInTerminal(t *testing.T) {
	term := tmuxtest.Shell(t, tmuxtest.Options{Width: 20, Height: 6}, "draw")
	term.Run("echo before").Type("draw screen").Press("Enter").Wait("yyyy")
	assert.Equal(t, strings.Repeat("y", 20), term.Screen())
	term.Press("Enter").Wait("before").Run("echo after")
	assert.Equal(t, "$ echo before\n"+"before\n$ draw screen\n$ echo after\n"+"after\n$", term.Screen())
}

// What a guest sends does not change the terminal.
func TestHostileInTerminal(t *testing.T) {
	term := tmuxtest.Shell(t, tmuxtest.Options{Width: 200, Height: 8}, "draw")
	term.Run("echo before").Run("draw hostile").Run("echo after")
	term.Golden("hostile")
	assert.NotContains(t, term.Title(), "owned")
	assert.NotContains(t, term.Colours(), "‹31›")
}

// Without a terminal there are no escape sequences at all, and what a guest sends is not changed.
func TestNoTerminal(t *testing.T) {
	var b bytes.Buffer
	out := New(&b, func(string) string { return "xterm" })
	assert.False(t, out.IsTerminal())
	bar := NewBar(out)
	bar.Show(Progress{Name: "m0", Total: 5})
	bar.Around(func() { b.WriteString("text ") })
	bar.End()
	b.WriteString(out.In(Red, "red "))
	_, err := out.Foreign().Write([]byte(hostile))
	require.NoError(t, err)
	assert.Equal(t, "text red "+hostile, b.String())
}

// Colours are used only on terminals that have them, and unless the user turns them off.
func TestColours(t *testing.T) {
	for env, want := range map[string]string{
		"NO_COLOR=": "‹31›red", "NO_COLOR=1": " draw red\n" + "red\n", "TERM=dumb": " red\n" + "red", "TERM=": " red\n" + "red",
	} {
		term := tmuxtest.Shell(t, tmuxtest.Options{Height: 6}, "draw")
		term.Run("echo before").Run(env + " draw red")
		assert.Contains(t, term.Colours(), want, env)
	}
}

// A line of progress always fits.
func TestLine(t *testing.T) {
	long := strings.Repeat("name of a guest ", 10)
	out := &Output{}
	for width := 1; width < 130; width++ {
		for _, p := range []Progress{
			{Name: "m0  mirror", State: "running", Done: 1 << 30, Total: 8 << 30, Percent: 12.5, Rate: 1e8, Left: time.Hour},
			{Name: "m0", State: "created"},
			{Name: "磁盘  mirror", Done: 5, Total: 5, Percent: 100, Count: true},
			{Name: long, State: long, Done: 1, Total: 2, Percent: 50, Rate: 5, Left: 1},
		} {
			line := out.line(p, width)
			assert.LessOrEqual(t, Width(line), width, "%q", line)
		}
	}
	for _, c := range []struct {
		width int
		p     Progress
		want  string
	}{
		{80, Progress{Name: "m0", State: "running", Done: 0, Total: 100}, "m0 ▕" + strings.Repeat(" ", 40) + "▏  0.0%  running"},
		{80, Progress{Name: "m0", State: "running", Done: 5 << 20, Rate: 1024}, "m0  5.0 MiB  1.0 KiB/s  running"},
		{40, Progress{Name: "m0", Done: 1, Total: 2, Percent: 99.99, Left: 1}, "m0 ▕███████████████████▉▏ 99.9%  1s left"},
		{40, Progress{Name: "job", Count: true, Done: 7, Rate: 2}, "job  7  2/s"},
		{20, Progress{Name: "block-job-of-a-long-name", Total: 5, Percent: 20}, "block-job-o…  20.0%"},
	} {
		assert.Equal(t, c.want, out.line(c.p, c.width))
	}
}

func TestText(t *testing.T) {
	assert.Equal(t, "abc", Cut("abc", 3))
	assert.Equal(t, "ab…", Cut("abcd", 3))
	assert.Equal(t, "磁…", Cut("磁盘!", 4))
	assert.Empty(t, Cut("abcd", 0))
	assert.Equal(t, "磁  |", Pad("磁", 4)+"|")
	assert.Equal(t, []string{"one two", "three", "averylongword", "x"}, Wrap("one  two\nthree averylongword x", 8))
	assert.Empty(t, Wrap("", 5))
	assert.Equal(t, 1, Width("e\u0301"))
}

func TestFormats(t *testing.T) {
	for n, want := range map[float64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1024*1024 - 1: "1.0 MiB", 1.5 * (1 << 30): "1.5 GiB", 1 << 60: "1.0 EiB", 1 << 70: "1024.0 EiB", -2048: "-2.0 KiB"} {
		assert.Equal(t, want, Size(n))
	}
	for d, want := range map[time.Duration]string{
		0: "1s", 25*time.Second + 1: "25s", 185 * time.Second: "3m05s", 130 * time.Minute: "2h10m", 99 * time.Hour: "4d03h",
	} {
		assert.Equal(t, want, Duration(d))
	}
	assert.Equal(t, "99.9%", Percent(99.99))
	assert.Equal(t, "100.0%", Percent(100))
}

// Characters that are split between writes are read as one.
func TestForeign(t *testing.T) {
	const text = "é\t磁盘\r\nx\ry\xff\x1b[m😀\n"
	for size := 1; size < len(text); size++ {
		var b bytes.Buffer
		w := Terminal(&b, 80, 24).Foreign()
		for from := 0; from < len(text); from += size {
			part := text[from:min(from+size, len(text))]
			n, err := w.Write([]byte(part))
			require.NoError(t, err)
			require.Len(t, part, n)
		}
		got := strings.ReplaceAll(b.String(), `\r`+"\n", "\n") // the line end was split
		assert.Equal(t, "é\t磁盘\nx"+`\ry\xff\x1b[m`+"😀\n", got)
	}
}

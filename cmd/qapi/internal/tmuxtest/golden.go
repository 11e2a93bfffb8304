package tmuxtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A Mask replaces text that differs from run to run by a fixed text.
type Mask struct {
	pattern *regexp.Regexp
	instead string
}

// Replace makes a mask of a regular expression and its replacement, in which $1 is the
// first group.
func Replace(pattern, instead string) Mask { return Mask{regexp.MustCompile(pattern), instead} }

// Masks for texts that programs often show.
var (
	Times   = Replace(`\d+(\.\d+)?(ms|µs|s|m\d+s|h\d+m(\d+s)?)\b`, "TIME")
	Sizes   = Replace(`\d+(\.\d+)? ?([KMGT]i?B|B)\b`, "SIZE")
	Percent = Replace(`\d+(\.\d+)? ?%`, "PERCENT")
	Numbers = Replace(`\d+`, "N")
)

// Golden compares the screen with testdata/screens/NAME.txt, after the masks have been applied in
// their order, and waits until they are equal. Before that, wait for the last text that the
// program shows. With UPDATE=1 it writes the file, from a screen that no longer changes.
func (term *Terminal) Golden(name string, masks ...Mask) {
	term.t.Helper()
	screen := func() string {
		text := term.Screen()
		for _, b := range masks {
			text = b.pattern.ReplaceAllString(text, b.instead)
		}
		return text + "\n"
	}
	path := filepath.Join("testdata", "screens", name+".txt")
	if os.Getenv("UPDATE") != "" {
		term.write(path, term.still(screen))
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		term.t.Fatalf("%v: UPDATE=1 writes it; the screen shows:\n%s", err, screen())
	} else if err != nil {
		term.t.Fatal(err)
	}
	var got string
	term.until(func() bool { got = screen(); return got == string(want) }, func() string {
		return "the screen differs from " + path + " (-want +got):\n" + cmp.Diff(string(want), got)
	})
}

// still returns a screen that has not changed for a while.
func (term *Terminal) still(screen func() string) string {
	last, since := screen(), time.Now()
	term.until(func() bool {
		if now := screen(); now != last {
			last, since = now, time.Now()
		}
		return time.Since(since) > time.Second/2
	}, func() string { return "the screen does not stop changing" })
	return last
}

func (term *Terminal) write(path, text string) {
	term.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		term.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		term.t.Fatal(err)
	}
}

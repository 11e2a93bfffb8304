package tmuxtest

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Run as a program of its own, this test greets a name.
func TestMain(m *testing.M) {
	if Program() == "greet" {
		line := bufio.NewScanner(os.Stdin)
		for fmt.Print("who? "); line.Scan() && line.Text() != ""; fmt.Print("who? ") {
			fmt.Printf("hello \x1b[1m%s\x1b[m, pid %d\n", line.Text(), os.Getpid())
		}
		os.Exit(7)
	}
	os.Exit(m.Run())
}

func TestTerminal(t *testing.T) {
	term := Start(t, Options{Width: 40, Height: 6, Env: []string{"WHERE=here"}}, "sh", "-c", `
		stty size; echo "$WHERE, $TERM"; printf '\033[31mred\033[m\n\n'; read line; echo "<$line>"; exit 3`)
	term.Wait("red")
	assert.Equal(t, "6 40\nhere, tmux-256color\nred", term.Screen())
	assert.Contains(t, term.Colours(), "‹31›red")
	column, line := term.Cursor()
	assert.Equal(t, [2]int{0, 4}, [2]int{column, line})
	term.Type("a;b $c").Press("BSpace").Type("-e").Press("Enter").WaitFor(`(?m)^<a;b \$-e>$`)
	assert.Equal(t, 3, term.Exit())
	assert.True(t, strings.HasSuffix(term.Screen(), "<a;b $-e>"), "the screen of a program that has ended: %q", term.Screen())
}

// TestShell runs this test under another name in a shell.
func TestShell(t *testing.T) {
	term := Shell(t, Options{Width: 50, Height: 8}, "greet")
	term.Run("echo first")
	term.Type("greet").Press("Enter").Wait("who?").Type("Ada").Press("Enter").Wait("hello Ada").Press("Enter")
	term.Run("echo $?")
	pid := Replace(`pid \d+`, "pid PID")
	term.Golden("shell", pid)
	assert.Contains(t, term.Colours(), "hello ‹1›Ada‹0›")
	for range 10 {
		term.Run("echo more")
	}
	assert.NotContains(t, term.Screen(), "first")
	assert.Contains(t, term.History(), "first")
	term.Type("exit 4").Press("Enter")
	assert.Equal(t, 4, term.Exit())
}

func TestBlots(t *testing.T) {
	for _, c := range []struct {
		mask       Mask
		text, want string
	}{
		{Times, "3s, 1m20s left, 14.2ms; 5 seeds", "TIME, TIME left, TIME; 5 seeds"},
		{Sizes, "291.4 MiB/s, 12B, 3 GB", "SIZE/s, SIZE, SIZE"},
		{Percent, " 12.8%, 100 %", " PERCENT, PERCENT"},
		{Replace(`(\w+)=\w+`, "$1=X"), "pid=12", "pid=X"},
	} {
		assert.Equal(t, c.want, c.mask.pattern.ReplaceAllString(c.text, c.mask.instead))
	}
}

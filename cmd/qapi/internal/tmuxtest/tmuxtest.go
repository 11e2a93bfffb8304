// Package tmuxtest runs programs in a real terminal, for tests: it types keys, waits for
// what the screen shows, and compares screens with golden files.
//
//	term := tmuxtest.Start(t, tmuxtest.Options{}, "sh")
//	term.Type("echo hello").Press("Enter").Wait("hello")
//	term.Golden("hello")
//
// The terminal is a tmux with a socket of its own. Where tmux is not installed the test
// is skipped, or fails if QAPI_REQUIRE_TMUX is set.
package tmuxtest

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/qemutest"
)

// limit is how long a test waits for something that normally comes at once.
const limit = time.Minute

// Options are the options of a terminal and of the program in it.
type Options struct {
	Width, Height int      // 80 and 24 by default
	Env           []string // additional variables, such as "NO_COLOR=1"; the rest of the environment is minimal
	Dir           string   // where the program starts; the test's by default
}

// A Terminal is a screen with a program that runs on it. Its methods fail the test
// when something goes wrong.
type Terminal struct {
	t      testing.TB
	socket string
	status string // the file for the exit code
	env    []string
}

// settings make tmux show nothing itself, and keep the screen of a program that has ended.
const settings = `
set -g status off
set -g remain-on-exit on
set -g remain-on-exit-format ""
set -g escape-time 0
set -g default-terminal tmux-256color
set -g history-limit 10000
`

// Start runs a command in a new terminal, which is closed when the test ends. The command
// and its arguments are not read by a shell.
func Start(t testing.TB, opts Options, command ...string) *Terminal {
	t.Helper()
	tmux := find(t)
	dir, err := os.MkdirTemp("", "tmux") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	conf := filepath.Join(dir, "conf")
	if err := os.WriteFile(conf, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	term := &Terminal{t, filepath.Join(dir, "socket"), filepath.Join(dir, "status"), append(environment(dir), opts.Env...)}
	term.serve(tmux, conf)

	work, err := filepath.Abs(opts.Dir)
	if err != nil {
		t.Fatal(err)
	}
	args := append([]string{"new-session", "-d", "-c", work,
		"-x", strconv.Itoa(cmp.Or(opts.Width, 80)), "-y", strconv.Itoa(cmp.Or(opts.Height, 24)),
		"--", "sh", "-c", keepStatus, term.status}, command...)
	var out string
	term.until(func() bool {
		out, err = term.try(args...)
		return err == nil || !starting.MatchString(out)
	}, func() string { return "tmux does not start: " + out })
	if err != nil {
		t.Fatalf("tmux new-session %s: %v: %s", strings.Join(command, " "), err, out)
	}
	return term
}

// keepStatus runs a command and writes its exit code into a file: tmux sometimes loses it.
const keepStatus = `trap : INT QUIT HUP TERM; "$@"; echo $? >"$0.new"; mv "$0.new" "$0"`

// starting matches tmux's errors about a server that does not listen yet.
var starting = regexp.MustCompile(`error connecting to|no server running on`)

// find returns the path of tmux.
func find(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("tmux")
	if err != nil {
		const missing = "tmux is not installed: nothing can be shown in a real terminal"
		if os.Getenv("QAPI_REQUIRE_TMUX") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return path
}

// environment returns the environment of every program in a terminal, which contains
// nothing from the environment of the tests.
func environment(home string) []string {
	return []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir(),
		"LC_ALL=C.UTF-8", "TERM=dumb", // tmux sets TERM for the program
	}
}

// serve runs tmux's server. It does not go to the background, so that it cannot outlive the test.
func (term *Terminal) serve(tmux, conf string) {
	term.t.Helper()
	cmd := exec.Command(tmux, "-D", "-S", term.socket, "-f", conf)
	cmd.Env = term.env
	qemutest.EndWithTest(cmd)
	if err := cmd.Start(); err != nil {
		term.t.Fatal(err)
	}
	term.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
	})
}

// Type types text, without an Enter.
func (term *Terminal) Type(text string) *Terminal {
	term.t.Helper()
	term.tmux("send-keys", "-l", "--", text)
	return term
}

// Press presses keys, which have tmux's names: Enter, Tab, Up, BSpace, C-c.
func (term *Terminal) Press(keys ...string) *Terminal {
	term.t.Helper()
	term.tmux(append([]string{"send-keys", "--"}, keys...)...)
	return term
}

// Paste types text as a terminal does when the user pastes: in brackets, if the program asked for
// them.
func (term *Terminal) Paste(text string) *Terminal {
	term.t.Helper()
	term.tmux("set-buffer", "--", text)
	term.tmux("paste-buffer", "-p", "-d")
	return term
}

// Shell starts sh, with the running test on PATH under a name. When [Program] returns that
// name, the test's TestMain must run the tested program. Lines are run with [Terminal.Run].
func Shell(t testing.TB, opts Options, name string) *Terminal {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(self, filepath.Join(bin, name)); err != nil {
		t.Fatal(err)
	}
	rc := filepath.Join(bin, "rc") // sh does not take a prompt from the environment
	if err := os.WriteFile(rc, []byte("PS1='$ ' PS2='> '\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opts.Env = append([]string{"ENV=" + rc, "PATH=" + bin + string(filepath.ListSeparator) + os.Getenv("PATH")}, opts.Env...)
	term := Start(t, opts, "sh")
	term.prompt(0)
	return term
}

// Program returns the name that this program was started with, such as qapi.
func Program() string { return filepath.Base(os.Args[0]) }

// Run types a line of a [Shell], and waits until the line has ended and the prompt "$ " is back.
func (term *Terminal) Run(line string) *Terminal {
	term.t.Helper()
	before := term.prompt(0)
	term.Type(line).Press("Enter")
	term.prompt(before)
	return term
}

// prompt waits until the screen and its history have more prompts than before, the last of them
// on the last line, and returns their number.
func (term *Terminal) prompt(before int) int {
	term.t.Helper()
	var count int
	term.until(func() bool {
		all := "\n" + term.History()
		count = len(prompts.FindAllString(all, -1))
		return count > before && strings.HasSuffix(all, "\n$")
	}, func() string { return "the shell's prompt has not come back; the screen shows:\n" + term.Screen() })
	return count
}

// prompts matches the prompts of a shell, at the start of a line.
var prompts = regexp.MustCompile(`(?m)^\$( |$)`)

// Resize changes the size of the terminal.
func (term *Terminal) Resize(width, height int) *Terminal {
	term.t.Helper()
	term.tmux("resize-window", "-x", strconv.Itoa(width), "-y", strconv.Itoa(height))
	return term
}

// Wait waits until the screen shows a text.
func (term *Terminal) Wait(text string) *Terminal {
	term.t.Helper()
	return term.WaitFor(regexp.QuoteMeta(text))
}

// WaitFor waits until a regular expression matches the screen; (?m)^ is the start of a line.
func (term *Terminal) WaitFor(pattern string) *Terminal {
	term.t.Helper()
	want := regexp.MustCompile(pattern)
	term.until(func() bool { return want.MatchString(term.Screen()) },
		func() string { return fmt.Sprintf("the screen never showed %q; it shows:\n%s", pattern, term.Screen()) })
	return term
}

// Exit waits until the program has ended, and returns its exit code.
func (term *Terminal) Exit() int {
	term.t.Helper()
	var status []byte
	term.until(func() bool {
		var err error
		status, err = os.ReadFile(term.status)
		return err == nil
	}, func() string { return "the program has not ended; the screen shows:\n" + term.Screen() })
	code, err := strconv.Atoi(strings.TrimSpace(string(status)))
	if err != nil {
		term.t.Fatal(err)
	}
	return code
}

// Screen returns what the terminal shows, without blanks at the ends of lines, and without
// empty lines at the end.
func (term *Terminal) Screen() string {
	term.t.Helper()
	return trim(term.tmux("capture-pane", "-p"))
}

// History is like [Terminal.Screen], including the lines that have scrolled away.
func (term *Terminal) History() string {
	term.t.Helper()
	return trim(term.tmux("capture-pane", "-p", "-S", "-"))
}

// Colours is like [Terminal.Screen], with the escape sequences for colours and the like, as in ‹31›.
func (term *Terminal) Colours() string {
	term.t.Helper()
	return trim(sgr.ReplaceAllString(term.tmux("capture-pane", "-p", "-e"), "‹$1›"))
}

// sgr matches the escape sequences that change how text looks.
var sgr = regexp.MustCompile("\x1b\\[([0-9;]*)m")

// Title returns what the program has set as the title of its window.
func (term *Terminal) Title() string {
	term.t.Helper()
	return strings.TrimSpace(term.tmux("display-message", "-p", "#{pane_title}"))
}

// Cursor returns where the cursor is; the first column and the first line are 0.
func (term *Terminal) Cursor() (column, line int) {
	term.t.Helper()
	if _, err := fmt.Sscan(term.tmux("display-message", "-p", "#{cursor_x} #{cursor_y}"), &column, &line); err != nil {
		term.t.Fatal(err)
	}
	return column, line
}

func trim(screen string) string {
	lines := strings.Split(screen, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t")
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// until polls until f reports true, and fails the test with a message when that takes too long.
func (term *Terminal) until(f func() bool, message func() string) {
	term.t.Helper()
	var interval poll.Interval
	for begin := time.Now(); !f(); time.Sleep(min(interval.Next(), 100*time.Millisecond)) {
		if time.Since(begin) > limit {
			term.t.Fatal(message())
		}
	}
}

// tmux runs a command of tmux, and returns what it prints.
func (term *Terminal) tmux(args ...string) string {
	term.t.Helper()
	out, err := term.try(args...)
	if err != nil {
		term.t.Fatalf("tmux %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return out
}

func (term *Terminal) try(args ...string) (string, error) {
	cmd := exec.Command("tmux", append([]string{"-u", "-N", "-S", term.socket}, args...)...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = term.env, &out, &out // programs get their PATH from the client
	err := cmd.Run()
	return out.String(), err
}

package shell

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
)

// fakeTerminal returns a terminal on which each of some words is a candidate at any place.
func fakeTerminal(out io.Writer, candidates ...complete.Candidate) *terminal {
	in, _ := io.Pipe()
	t := newTerminal(in, term.Terminal(out, 40, 10), &history{})
	t.complete = func(_ context.Context, words []string, last string) []complete.Candidate {
		var found []complete.Candidate
		for _, c := range candidates {
			if c.Show = c.Word; strings.HasPrefix(c.Word, last) {
				found = append(found, c)
			}
		}
		return found
	}
	return t
}

// Tab completes the word before the cursor, which is a | here.
func TestTab(t *testing.T) {
	term := fakeTerminal(io.Discard, complete.Candidate{Word: "alpha"}, complete.Candidate{Word: "alphabet"},
		complete.Candidate{Word: "beta=", Open: true}, complete.Candidate{Word: "two words"}, complete.Candidate{Word: "sub dir/", Open: true},
		complete.Candidate{Word: "größe"}, complete.Candidate{Word: "größte"})
	for before, want := range map[string]string{
		"|":           "|",
		"x|":          "x|",
		"a|":          "alpha|",
		"alphab|":     "alphabet |",
		"b|":          "beta=|",
		"x b|":        "x beta=|",
		"x b| y":      "x beta=| y",
		"x alphab| y": "x alphabet |y",
		"alphab|et":   "alphabet |et",
		"t|":          `two\ words |`,
		"'two w|":     `two\ words |`,
		`"two w|`:     `two\ words |`,
		`two\ w|`:     `two\ words |`,
		`two\ |`:      `two\ words |`,
		"s|":          `sub\ dir/|`,
		"x  |":        "x  |",
		"gr|":         "größ|",
		"x {\"a\": |": "x {\"a\": |",
	} {
		line, rest, _ := strings.Cut(before, "|")
		got, pos, ok := term.key(line+rest, len(line), '\t')
		assert.True(t, ok)
		assert.Equal(t, want, got[:pos]+"|"+got[pos:], before)
	}
	_, _, ok := term.key("a", 1, 'b')
	assert.False(t, ok)
}

// A second Tab lists the candidates.
func TestTabLists(t *testing.T) {
	var out strings.Builder
	term := fakeTerminal(&out, complete.Candidate{Word: "alpha"}, complete.Candidate{Word: "alphabet"}, complete.Candidate{Word: "a\x1b[31m"})
	_, _, _ = term.key("alpha", 5, '\t')
	assert.Equal(t, eraseBelow+"alpha     alphabet\r\n", out.String())
	out.Reset()
	_, _, _ = term.key("alpha", 5, '\t')
	assert.Empty(t, out.String(), "the list is there")
	_, _, _ = term.key("alpha", 5, 'b')
	_, _, _ = term.key("alpha", 5, '\t')
	assert.NotEmpty(t, out.String(), "something was typed")
	out.Reset()
	_, _, _ = term.key("a", 1, '\t')
	assert.Contains(t, out.String(), `a\x1b[31m`)
}

func TestColumns(t *testing.T) {
	assert.Equal(t, "a   c   e\nbb  dd\n", columns([]string{"a", "bb", "c", "dd", "e"}, 12, 10))
	assert.Equal(t, "a\nbb\n", columns([]string{"a", "bb"}, 1, 10))
	assert.Equal(t, "1\n2\n… and 3 more\n", columns([]string{"1", "2", "3", "4", "5"}, 3, 2))
	assert.Equal(t, "1  4\n2  5\n… and 2 more\n", columns([]string{"1", "2", "3", "4", "5", "6"}, 5, 2))
}

func TestForPeople(t *testing.T) {
	for value, want := range map[string]string{
		`{}`:                                   `{}`,
		`{"a":1,"b":[2,"x"]}`:                  `{"a": 1, "b": [2, "x"]}`,
		`{"aaaaaaaaaaaa":1,"bbbbbbbbbbbbb":2}`: "{\n  \"aaaaaaaaaaaa\": 1,\n  \"bbbbbbbbbbbbb\": 2\n}",
		`"one\r\ntwo\n"`:                       "one\ntwo",
		`"a\u001b[31m\nb"`:                     "a\\x1b[31m\nb",
		`"one"`:                                `"one"`,
		"\"\u009b31m\u202e\"":                  `"\u009b31m\u202e"`,
		"\"\x7f\U000e0001\xff\"":               "\"\\u007f\\udb40\\udc01\ufffd\"",
		"18446744073709551615":                 "18446744073709551615",
	} {
		assert.Equal(t, want, forPeople([]byte(value), 30))
	}
}

// Ctrl-C clears the line, or interrupts the running command; what was typed ahead is then dropped.
func TestKeys(t *testing.T) {
	in, typed := io.Pipe()
	k := readKeys(in)
	read := func() string {
		b := make([]byte, 100)
		n, err := k.Read(b)
		require.NoError(t, err)
		return string(b[:n])
	}
	_, _ = io.WriteString(typed, "ab\x03c")
	assert.Equal(t, "ab"+clearLine+"c", read())

	interrupted := make(chan struct{})
	end := k.during(func() { close(interrupted) })
	_, _ = io.WriteString(typed, "ahead\x03")
	<-interrupted
	end()
	_, _ = io.WriteString(typed, "d")
	assert.Equal(t, "d", read())

	left := false
	end = k.leaving(func() { left = true })
	_, _ = io.WriteString(typed, "secret\x03")
	assert.Equal(t, clearLine+enter, read())
	assert.True(t, left)
	end()
	_, _ = io.WriteString(typed, "\x1b[1~a\x1bOF")
	assert.Equal(t, "\x1b[Ha\x1b[F", read())
	typed.Close()
	_, err := k.Read(nil)
	assert.ErrorIs(t, err, io.EOF)
	k.close()
}

// The editor drops what is typed beyond a limit: such a line is not executed.
func TestLongLine(t *testing.T) {
	in, typed := io.Pipe()
	var out strings.Builder
	terminal := newTerminal(in, term.Terminal(&out, 40, 10), &history{})
	go func() {
		_, _ = io.WriteString(typed, strings.Repeat("x", 2*mostCharacters)+"\rshort\r")
	}()
	line, err := terminal.readLine(t.Context(), "> ")
	require.NoError(t, err)
	assert.Empty(t, line)
	assert.Contains(t, out.String(), "may be cut off")
	line, err = terminal.readLine(t.Context(), "> ")
	require.NoError(t, err)
	assert.Equal(t, "short", line)
}

// Ctrl-C cancels a whole line that has several parts, not only its last part.
func TestForgottenLine(t *testing.T) {
	in, typed := io.Pipe()
	terminal := newTerminal(in, term.Terminal(&typist{on: "... ", typed: typed, keys: "x\x03"}, 40, 10), &history{})
	s := &session{frontend: terminal}
	go func() { _, _ = io.WriteString(typed, "{bad\r") }()
	line, err := s.read(t.Context())
	require.NoError(t, err)
	assert.Empty(t, line)
	go func() { _, _ = io.WriteString(typed, "next\r") }()
	line, err = s.read(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "next", line)
}

// A typist types keys when a terminal has shown a text.
type typist struct {
	on, keys string
	typed    io.Writer
	shown    strings.Builder
}

func (t *typist) Write(text []byte) (int, error) {
	t.shown.Write(text)
	if t.on != "" && strings.Contains(t.shown.String(), t.on) {
		t.on = ""
		go func() { _, _ = io.WriteString(t.typed, t.keys) }()
	}
	return len(text), nil
}

func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "qapi", "history")
	h, err := openHistory(path)
	require.NoError(t, err)
	h.keep("first", true)
	h.keep("first", true)
	h.keep("memory only", false)
	h.keep("two\nlines", true)
	assert.Equal(t, []string{"first", "memory only", "two lines"}, h.lines)
	assert.Equal(t, "two lines", h.At(0))
	assert.Equal(t, 3, h.Len())
	h.close()
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	require.NoError(t, os.Chmod(path, 0o644)) // by somebody else
	h, err = openHistory(path)
	require.NoError(t, err)
	assert.Equal(t, []string{"first", "two lines"}, h.lines)
	for range 3 * mostLines {
		h.keep("x", true)
		h.keep("y", true)
	}
	h.close()
	info, err = os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	h, err = openHistory(path)
	require.NoError(t, err)
	assert.Equal(t, mostLines, h.Len())
	h.close()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, mostLines, strings.Count(string(text), "\n"))

	h, err = openHistory(filepath.Dir(path)) // not a file
	assert.Error(t, err)
	h.keep("x", true)
	assert.Equal(t, 1, h.Len())
}

// Lines with secrets are not kept, whether or not they are understood.
func TestSecretsOfWords(t *testing.T) {
	for line, want := range map[string]bool{
		"query-status": false,
		"blockdev-add driver=qcow2 file.driver=file file.filename=/vm/a": false,
		"set_password protocol=vnc password=x":                           true,
		"set_pasword protocol=vnc password=x":                            true,
		"nosuch a.b.password=x":                                          true,
		"nosuch a.b.password:=[1]":                                       true,
		"nosuch a.b.password:=nonsense":                                  true,
		`set_password {"protocol":"vnc","password":"x"}`:                 true,
		`set_password {"protocol":"vnc"`:                                 true,
		`query-status {}`:                                                false,
		"object-add qom-type=secret id=s data=x":                         true,
		"object-add qom-type=secret qom-type=x data=x":                   true,
		"object-add id=s data=x qom-type=secret":                         true,
		"object-add qom-type=iothread id=s":                              false,
		"ringbuf-write device=r data=x":                                  true,
		"a b=1 b.password=x":                                             true,
		"a b.password=x b=1":                                             true,
		"blockdev-add driver=https url=https://u:p@host/x":               true,
		"set_password protocol=vnc password=@/run/pw":                    false,
		"set_password protocol=vnc password=-":                           false,
		"set_password protocol=vnc password:=-":                          true,
		"human-monitor-command 'command-line=change vnc password x'":     true,
		"human-monitor-command 'command-line=info block'":                false,
	} {
		words, _ := split(line)
		assert.Equal(t, want, wordsHaveSecrets(texts(words)), line)
	}
}

package qmptest_test

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema"
)

// A table is what testdata/conformance*.txt say: each file is for a machine of its own.
type table struct {
	cases []*conformanceCase
	free  map[string]bool // members whose values do not matter
	file  *os.File        // that is passed

	without map[string]bool // members that are not looked at
}

// A conformanceCase is a line of the table.
type conformanceCase struct {
	table   string // its file
	line    int
	text    string
	request string // as it is sent
	file    *os.File
	wait    *awaited
	ends    bool     // the connection
	alone   bool     // the fake's guest is silent, too, from now on
	fails   string   // the class of error with which it must fail, in releases that have the command
	free    []string // further members whose values do not matter
	accept  []acceptance
}

// An awaited event comes some time after the reply.
type awaited struct {
	name  string
	words []string // that its data have
}

func (a *awaited) is(s *said) bool {
	lacks := func(word string) bool { return !strings.Contains(string(s.Data), word) }
	return s.Event == a.name && !slices.ContainsFunc(a.words, lacks)
}

// An acceptance has the reason why a disagreement is accepted.
type acceptance struct {
	releases []string
	reason   string
}

// accepted returns the reason why a disagreement is accepted in a release; "": it is not.
func (c *conformanceCase) accepted(release string) string {
	for _, a := range c.accept {
		if slices.Contains(a.releases, release) || slices.Contains(a.releases, "all") {
			return a.reason
		}
	}
	return ""
}

func (c *conformanceCase) place() string {
	return fmt.Sprintf("%s:%d: %s", c.table, c.line, c.text)
}

// command returns the name of the command, if the case has one.
func (c *conformanceCase) command() string {
	words := strings.Fields(c.text)
	if words[0] == "oob" || words[0] == "file" {
		words = words[1:]
	}
	return words[0]
}

// end returns why a server must say nothing more after the case: "" if all that is awaited has come.
func (c *conformanceCase) end() string {
	if c.ends {
		return "closed"
	}
	return ""
}

// failsAsSaid reports whether a command that is to fail with a class of error did so
// in a release that has it.
func (c *conformanceCase) failsAsSaid(s *schema.Schema, o outcome) bool {
	return c.fails == "" || slices.Contains(o.said, "error "+c.fails) || s.Lookup(c.command()) == nil
}

func readTable(t *testing.T, dir string) *table {
	t.Helper()
	files, err := filepath.Glob("testdata/conformance*.txt")
	require.NoError(t, err)
	tab := &table{free: map[string]bool{}, without: map[string]bool{}}
	for _, file := range files {
		tab.read(t, file, dir)
	}
	return tab
}

// read adds what a file says.
func (tab *table) read(t *testing.T, file, dir string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	number, alone := 0, false
	for line := range strings.Lines(string(text)) {
		number++
		line = strings.TrimSuffix(line, "\n")
		first, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch {
		case first == "" || first[0] == '#' || first == "==":
		case line[0] == '\t':
			require.NotEmpty(t, tab.cases, "line %d: it belongs to no command", number)
			c := tab.cases[len(tab.cases)-1]
			require.True(t, c.attach(first, rest), "%s:%d: %s", file, number, line)
		case first == "free" || first == "without":
			for _, name := range strings.Fields(rest) {
				map[string]map[string]bool{"free": tab.free, "without": tab.without}[first][name] = true
			}
		case line == "no guest":
			alone = true
		default:
			c := &conformanceCase{table: file, line: number, text: line, alone: alone}
			if rest, ok := strings.CutPrefix(line, "file "); ok {
				line, c.file = rest, tab.passed(t, dir)
			}
			c.request = strings.ReplaceAll(requestOf(line), "$DIR", dir)
			tab.cases = append(tab.cases, c)
		}
	}
}

// freeing returns the table with more members whose values do not matter.
func (tab *table) freeing(names []string) *table {
	if len(names) == 0 {
		return tab
	}
	more := *tab
	more.free = maps.Clone(tab.free)
	for _, name := range names {
		more.free[name] = true
	}
	return &more
}

// of are the cases of a file.
func (tab *table) of(file string) (all []*conformanceCase) {
	for _, c := range tab.cases {
		if c.table == file {
			all = append(all, c)
		}
	}
	return all
}

// with yields the cases of a file, and makes the guest of the fake silent where the file says so.
func (tab *table) with(srv *qmptest.Server, file string) iter.Seq[*conformanceCase] {
	return func(yield func(*conformanceCase) bool) {
		for _, c := range tab.of(file) {
			if c.alone {
				srv.Guest(qmptest.GuestSilent)
			}
			if !yield(c) {
				return
			}
		}
	}
}

// passed returns the file that is passed with requests.
func (tab *table) passed(t *testing.T, dir string) *os.File {
	t.Helper()
	if tab.file == nil {
		var err error
		tab.file, err = os.Create(filepath.Join(dir, "passed"))
		require.NoError(t, err)
		t.Cleanup(func() { tab.file.Close() })
		require.NoError(t, tab.file.Truncate(1<<20))
	}
	return tab.file
}

// attach takes an indented line.
func (c *conformanceCase) attach(word, rest string) bool {
	switch word {
	case "wait":
		name, text, ok := strings.Cut(rest, " ")
		c.wait = &awaited{name, strings.Fields(text)}
		return ok
	case "ends":
		c.ends = true
		return rest == ""
	case "free":
		c.free = strings.Fields(rest)
		return len(c.free) > 0
	case "fails":
		c.fails = rest
		return rest != ""
	case "accept":
		releases, reason, ok := strings.Cut(rest, ": ")
		c.accept = append(c.accept, acceptance{strings.Fields(releases), reason})
		return ok && reason != ""
	}
	return false
}

package qmptest_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// A claim is a statement in the comment of a command: the class of its errors, or that
// it can be called "at any time".
type claim struct{ command, what string }

// unshown are the claims that no row of the conformance table can show, with the reason.
var unshown = map[claim]string{
	{"balloon", qmp.ClassKVMMissingCap}:       "every KVM of today can do it",
	{"query-balloon", qmp.ClassKVMMissingCap}: "every KVM of today can do it",
}

var claimed = regexp.MustCompile(strings.Join([]string{
	qmp.ClassGenericError, qmp.ClassCommandNotFound, qmp.ClassDeviceNotActive, qmp.ClassDeviceNotFound,
	qmp.ClassKVMMissingCap, "at any time",
}, "|"))

// claimsIn finds the claims in a file of descriptions, and the lines where they are.
func claimsIn(text string, isCommand func(string) bool) map[claim]int {
	found, command := map[claim]int{}, ""
	flowing := "" // the text of the command so far, since a claim may go over two lines
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "# "); ok {
			command, flowing = name, ""
		}
		if !isCommand(command) {
			continue
		}
		flowing += line + " "
		for _, what := range claimed.FindAllString(flowing, -1) {
			if c := (claim{command, what}); found[c] == 0 {
				found[c] = number
			}
		}
	}
	return found
}

// TestClaims checks that, for each statement of a comment about the class of an error, a row of
// the conformance table proves it: real QEMUs are tested with the table.
func TestClaims(t *testing.T) {
	tab := readTable(t, t.TempDir())
	shown := map[claim]bool{}
	for _, c := range tab.cases {
		if c.fails != "" {
			shown[claim{c.command(), c.fails}] = true
		}
	}
	s, err := qemu.Load("11.1", qemu.QMP)
	require.NoError(t, err)
	isCommand := func(name string) bool { _, ok := s.Lookup(name).(*schema.Command); return ok }
	files, err := filepath.Glob("../../generator/descriptions/qmp/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	unused := maps.Clone(unshown)
	total := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for c, line := range claimsIn(string(text), isCommand) {
			total++
			delete(unused, c)
			assert.NotEqual(t, unshown[c] != "", shown[c],
				"%s:%d: the comment of %s says %q: testdata/conformance.txt needs a row of that command with \"fails %s\" "+
					"below it, or else unshown the reason why there is none", file, line, c.command, c.what, c.what)
		}
	}
	assert.Empty(t, unused, "no comment says that")
	assert.NotZero(t, total)
}

func TestClaimsAreFound(t *testing.T) {
	text := "# eject\n\nopens. It can be called at any\ntime.\n\n- id: It fails with DeviceNotFound.\n\n# Tray\n\nGenericError\n\n# stop\n\nx\n"
	got := claimsIn(text, func(name string) bool { return name == "eject" || name == "stop" })
	assert.Equal(t, map[claim]int{{"eject", "at any time"}: 4, {"eject", "DeviceNotFound"}: 6}, got)
}

// TestFails compares the fake, without a QEMU, with the classes of errors in the tables.
func TestFails(t *testing.T) {
	files, err := filepath.Glob("testdata/conformance*.txt")
	require.NoError(t, err)
	for _, release := range short.Ends([]string{"5.2", "7.2", "10.0", "11.1"}) {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			for _, file := range files {
				failsAsSaid(t, release, file)
			}
		})
	}
}

func failsAsSaid(t *testing.T, release, file string) {
	t.Helper()
	s, err := qemu.Load(release, qemu.QMP)
	require.NoError(t, err)
	w := &watched{TB: t}
	srv := qmptest.Start(w, qmptest.Release(release))
	fake := newMonitor(t, srv.Pipe())
	tab := readTable(t, t.TempDir())
	for c := range tab.with(srv, file) {
		got := tab.outcome(fake.send(c))
		if c.accepted(release) == "" {
			assert.Equal(t, c.end(), got.end, c.place())
			assert.True(t, c.failsAsSaid(s, got), "%s\n\tthe fake does not fail with %s: %q", c.place(), c.fails, got.said)
		}
	}
	for _, report := range slices.Compact(w.said()) {
		assert.Contains(t, report, "nothing executes", "what the fake says of the test")
	}
}

package qmptest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// A rule of testdata/differential.txt is about commands that match.
type rule struct {
	ends    bool // the commands end a real QEMU, so that they are left out; otherwise the fake may differ
	pattern *regexp.Regexp
	reason  string
	used    bool
}

type rules []*rule

func readRules(t *testing.T) (all rules) {
	t.Helper()
	text, err := os.ReadFile("testdata/differential.txt")
	require.NoError(t, err)
	for i, line := range strings.Split(string(text), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		pattern, reason, ok := strings.Cut(rest, "   ")
		require.True(t, ok && (word == "ends" || word == "differs"), "line %d: %s", i+1, line)
		all = append(all, &rule{ends: word == "ends", pattern: regexp.MustCompile(pattern), reason: strings.TrimSpace(reason)})
	}
	return all
}

// about returns the first rule of a kind about a command; nil if there is none.
func (all rules) about(line string, ends bool) *rule {
	for _, r := range all {
		if r.ends == ends && r.pattern.MatchString(line) {
			r.used = true
			return r
		}
	}
	return nil
}

// A chooser makes commands, of which some make sense.
type chooser struct {
	rand     *rand.Rand
	sampler  *wiretest.Sampler
	schema   *schema.Schema
	commands []*schema.Command
}

// often are the commands that make things that other commands need.
var often = []string{"blockdev-add", "device_add", "object-add", "blockdev-mirror", "blockdev-backup", "block-dirty-bitmap-add"}

func (c *chooser) next(t *testing.T) string {
	t.Helper()
	command := c.commands[c.rand.IntN(len(c.commands))]
	if c.rand.IntN(2) == 0 {
		command = c.schema.Lookup(often[c.rand.IntN(len(often))]).(*schema.Command)
	}
	c.sampler.Optional = c.rand.Float64() / 3
	if command.Args == nil {
		return command.Name
	}
	args, ok := c.sampler.Sample(command.Args).(map[string]any)
	require.True(t, ok)
	c.rename(command.Name, args)
	if command.Name == "device_add" {
		args["driver"] = []string{"virtio-blk-pci", "scsi-hd", "virtio-rng-pci", "none"}[c.rand.IntN(4)]
		args["drive"] = "a"
		delete(args, "bus")
		if args["driver"] == "virtio-rng-pci" {
			delete(args, "drive")
		}
	}
	if c.rand.IntN(6) == 0 {
		c.spoil(args)
	}
	text, err := json.Marshal(args)
	require.NoError(t, err)
	return command.Name + " " + string(text)
}

// rename replaces texts by names that things in the machine may have.
func (c *chooser) rename(command string, v any) any {
	names := []string{"a", "b", "c", "cd0", "scsi0", "j", "null-co", "scsi-hd"}
	if strings.HasPrefix(command, "qom-") {
		names = append(names, "/machine", "/machine/peripheral/a", "/objects")
	}
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			v[name] = c.rename(command, v[name])
		}
	case []any:
		for i := range v {
			v[i] = c.rename(command, v[i])
		}
	case string:
		if v == "ide0" || v == "" || v == "a b" {
			return names[c.rand.IntN(len(names))]
		}
	}
	return v
}

// spoil makes most arguments invalid.
func (c *chooser) spoil(args map[string]any) {
	names := slices.Sorted(maps.Keys(args))
	if len(names) == 0 {
		args["more"] = 1
		return
	}
	name := names[c.rand.IntN(len(names))]
	switch c.rand.IntN(3) {
	case 0:
		delete(args, name)
	case 1:
		args["more"] = 1
	default:
		args[name] = []any{nil, 5, -1, "x", true, []any{}, map[string]any{}}[c.rand.IntN(7)]
	}
}

// TestQEMUDifferential sends the same random commands to real QEMUs and to the fake, and
// compares the answers. After a difference that testdata/differential.txt lists, both are started
// again.
func TestQEMUDifferential(t *testing.T) {
	const each = 60 // commands for a pair
	total, all := 2000, os.Getenv("QAPI_LONG") != ""
	if all { // of what the table has, which takes a few minutes
		total = 12_000
	}
	known := readRules(t)
	tab := readTable(t, t.TempDir()).freeing([]string{"human-readable-text", "object"}) // texts for people, and programs
	t.Chdir(t.TempDir())                                                                // QEMU makes files there
	releases := 0
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		if q.Release != "7.2" && q.Release != "11.1" {
			t.Skip("it is compared with 7.2 and 11.1")
		}
		releases++
		s, err := qemu.Load(q.Release, qemu.QMP)
		require.NoError(t, err)
		random := rand.New(rand.NewPCG(1, 2))
		c := &chooser{rand: random, sampler: &wiretest.Sampler{Rand: random}, schema: s}
		did, agree, left := 0, 0, 0
		for pair := 0; did < total; pair++ {
			t.Run(fmt.Sprint(pair), func(t *testing.T) {
				srv, real, fake := newPair(t, q)
				var before []string // the commands so far
				c.commands = slices.DeleteFunc(s.Commands(), func(c *schema.Command) bool { return srv.Handler(c.Name) == nil })
				for range each {
					line := c.next(t)
					if known.about(line, true) != nil {
						left++
						continue
					}
					did++
					request := &conformanceCase{text: line, request: requestOf(line)}
					want := tab.outcome(real.send(request))
					differ := compare(want, tab.outcome(fake.send(request)))
					if len(differ) == 0 {
						agree++
						before = append(before, line)
						continue
					}
					if known.about(line, false) == nil || want.end != "" {
						t.Errorf("%s\n\t%s\nafter\n\t%s", line, differ, strings.Join(before, "\n\t"))
					}
					return
				}
			})
		}
		t.Logf("%s: %d of %d agree; %d left out", q.Release, agree, did, left)
	})
	if all && releases == 2 && !t.Failed() {
		for _, r := range known {
			assert.True(t, r.used, "testdata/differential.txt: nothing matches %s", r.pattern)
		}
	}
}

// newPair starts a real QEMU and the fake one, and connects to them.
func newPair(t *testing.T, q qemutest.QEMU) (srv *qmptest.Server, real, fake *monitor) {
	t.Helper()
	firmware := filepath.Join(t.TempDir(), "halt")
	require.NoError(t, os.WriteFile(firmware, bytes.Repeat([]byte{0xf4}, 1<<16), 0o600))
	real = newMonitor(t, q.Start(t, "-qmp", "-machine", "pc", "-accel", "tcg", "-m", "64", "-bios", firmware,
		"-device", "virtio-scsi-pci,id=scsi0", "-device", "ide-cd,id=cd0"))
	srv = qmptest.Start(t, qmptest.Release(q.Release))
	return srv, real, newMonitor(t, srv.Pipe())
}

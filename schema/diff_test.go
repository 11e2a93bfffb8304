package schema_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// TestDiff has one line of report for each rule.
func TestDiff(t *testing.T) {
	const types = `
{ 'enum': 'En', 'data': [ 'a', 'b' ] }
{ 'struct': 'St', 'data': { 'x': 'int' } }
{ 'struct': 'Tt', 'data': { 'y': 'int' } }
{ 'struct': 'Wrap', 'data': { 'data': 'St' } }
`
	for _, c := range []struct {
		name, old, new string
		want           string // "!" marks what breaks Go code
	}{
		{"nothing", "", "", ""},
		{"command", "{ 'command': 'a' }", "{ 'command': 'b', 'features': [ 'unstable' ] }", "!the command 'a' is gone\nthe command 'b' is new, unstable"},
		{"event", "{ 'event': 'A' }", "{ 'event': 'B' }", "!the event 'A' is gone\nthe event 'B' is new"},
		{"value", "{ 'enum': 'Ab', 'data': [ 'a', 'b' ] }", "{ 'enum': 'Ab', 'data': [ { 'name': 'b', 'features': [ 'deprecated' ], 'if': 'X' }, 'c' ] }",
			"!the value 'Ab.a' is gone\nthe value 'Ab.b' is now there only if 'X'\nthe value 'Ab.b' is now deprecated\nthe value 'Ab.c' is new"},
		{"member", "{ 'struct': 'Ab', 'data': { 'a': 'int', 'b': 'int', '*c': 'int', 'd': 'int', '*l': [ 'int' ] } }",
			"{ 'struct': 'Ab', 'data': { 'b': 'str', 'c': 'int', '*d': 'int', '*e': 'int', 'f': 'int', 'l': [ 'int' ] } }",
			"!the member 'Ab.a' is gone\n!the member 'Ab.b' is now 'str', before 'int'\n!the member 'Ab.c' is now mandatory\n!the member 'Ab.d' is now optional\n" +
				"the member 'Ab.e', 'int', is new\nthe member 'Ab.f', 'int', is new, mandatory\nthe member 'Ab.l' is now mandatory"},
		{"base", "{ 'struct': 'Ab', 'base': 'St', 'data': {} }", "{ 'struct': 'Ab', 'data': { 'x': 'int' } }", ""},
		{"synonyms", "{ 'struct': 'Ab', 'data': { 'a': 'int', 'b': ['uint64'] } }", "{ 'struct': 'Ab', 'data': { 'a': 'int64', 'b': ['size'] } }", ""},
		{"kind", "{ 'struct': 'Ab', 'data': {} }", "{ 'enum': 'Ab', 'data': [] }", "!the type 'Ab' is now 'enum', before 'struct'"},
		{"union", "{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'a': 'St', 'b': 'Wrap' } }",
			"{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'a': { 'type': 'Tt', 'if': 'X' } } }",
			"!the branch 'Un.b' is gone\n!the branch 'Un.a' is now 'Tt', before 'St'\nthe branch 'Un.a' is now there only if 'X'"},
		{"discriminator", "{ 'union': 'Un', 'base': { 't': 'En', 'u2': 'En' }, 'discriminator': 't', 'data': {} }",
			"{ 'union': 'Un', 'base': { 't': 'En', 'u2': 'En' }, 'discriminator': 'u2', 'data': {} }", "!the discriminator of 'Un' is now 'u2', before 't'"},
		{"simple union", "{ 'pragma': { 'returns-whitelist': [] } } { 'union': 'Un', 'data': { 'a': 'St' } }",
			"{ 'enum': 'UnKind', 'data': [ 'a' ] } { 'union': 'Un', 'base': { 'type': 'UnKind' }, 'discriminator': 'type', 'data': { 'a': 'Wrap' } }", ""},
		{"wrapped no longer", "{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'a': 'Wrap', 'b': 'St' } }",
			"{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { 'a': 'St', 'b': 'Wrap' } }",
			"the branch 'Un.a' no longer has 'data wrapper'\nthe branch 'Un.b' now has 'data wrapper'"},
		{"alternate", "{ 'alternate': 'Al', 'data': { 'a': 'int' } }", "{ 'alternate': 'Al', 'data': { 'a': 'int', 'b': 'St' } }", "the branch 'Al.b', 'St', is new"},
		{"arguments", "{ 'command': 'a', 'data': { 'x': 'int', 'y': 'str' } } { 'command': 'b', 'data': 'St' } { 'command': 'c' } { 'command': 'd', 'data': 'St' }",
			"{ 'command': 'a', 'data': { 'x': 'str', '*z': 'int' } } { 'command': 'b' } { 'command': 'c', 'data': { '*x': 'int' } } { 'command': 'd', 'data': { 'x': 'str' } }",
			"!the argument 'a.y' is gone\n!the argument 'a.x' is now 'str', before 'int'\nthe argument 'a.z', 'int', is new\n" +
				"!the command 'b' now takes nothing, before 'St'\nthe argument 'c.x', 'int', is new\n!the command 'c' now takes members of its own, before nothing\n" +
				"!the command 'd' now takes members of its own, before 'St'\n!the argument 'd.x' is now 'str', before 'int'"},
		{"event data", "{ 'event': 'A', 'data': { 'x': 'int' } }", "{ 'event': 'A', 'data': 'St' }", ""},
		{"event data of another name", "{ 'event': 'A', 'data': 'St' }", "{ 'event': 'A', 'data': { 'y': 'int' } }", "!the member 'A.x' is gone\nthe member 'A.y', 'int', is new, mandatory"},
		{"event data of a union", "{ 'event': 'A', 'data': 'St' } { 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': {} }",
			"{ 'event': 'A', 'data': 'Un', 'boxed': true } { 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': {} }", "!the event 'A' now takes 'Un', before 'St'"},
		{"pure base", "{ 'struct': 'Ba', 'data': { 'a': 'int' } } { 'struct': 'Ab', 'base': 'Ba', 'data': {} } { 'struct': 'Bb', 'data': { 'a': 'int' } } { 'struct': 'Ac', 'base': 'Bb', 'data': { 'l': [ 'Bb' ] } }",
			"{ 'struct': 'Ab', 'data': { 'a': 'int' } } { 'struct': 'Ac', 'data': { 'a': 'int', 'l': [ 'Ab' ] } }",
			"the struct 'Ba' is gone\n!the struct 'Bb' is gone\n!the member 'Ac.l' is now '[Ab]', before '[Bb]'"},
		{"returns", "{ 'command': 'a', 'returns': 'St' } { 'command': 'b' }", "{ 'command': 'a', 'returns': ['St'] } { 'command': 'b', 'returns': 'St' }",
			"!the command 'a' now returns '[St]', before 'St'\n!the command 'b' now returns 'St', before nothing"},
		{"flags", "{ 'command': 'a', 'gen': false, 'allow-oob': true }", "{ 'command': 'a', 'allow-preconfig': true }",
			"!the command 'a' no longer has 'free arguments'\nthe command 'a' no longer has 'allow-oob'\nthe command 'a' now has 'allow-preconfig'"},
		{"free arguments", "{ 'command': 'a' } { 'command': 'b', 'data': 'St' } { 'command': 'c', 'data': { 'x': 'int' } }",
			"{ 'command': 'a', 'gen': false } { 'command': 'b', 'data': 'St', 'gen': false } { 'command': 'c', 'data': { 'x': 'int' }, 'gen': false }",
			"!the command 'a' now has 'free arguments'\n!the command 'b' now has 'free arguments'\nthe command 'c' now has 'free arguments'"},
		{"features", "{ 'command': 'a', 'features': [ 'unstable' ] }", "{ 'command': 'a', 'features': [ 'deprecated', 'other' ] }",
			"the command 'a' is now deprecated\nthe command 'a' now has the feature 'other'\nthe command 'a' no longer has the feature 'unstable'"},
		{"condition", "{ 'command': 'a', 'if': 'X' }", "{ 'command': 'a', 'if': { 'not': { 'any': [ 'X', 'Y' ] } } }",
			"the command 'a' is now there only if 'not (X or Y)', before if 'X'"},
		{"renamed", "{ 'struct': 'Old', 'data': { 'a': 'OldEn' } } { 'command': 'c', 'returns': ['Old'] } { 'enum': 'OldEn', 'data': [ 'x' ] }",
			"{ 'struct': 'New', 'data': { 'a': 'NewEn' } } { 'command': 'c', 'returns': ['New'] } { 'enum': 'NewEn', 'data': [ 'x', 'y' ] }",
			"!the struct 'Old' is now called 'New'\n!the enum 'OldEn' is now called 'NewEn'\nthe value 'NewEn.y' is new"},
		{"not renamed", "{ 'struct': 'Old', 'data': { 'a': 'int' } } { 'command': 'c', 'returns': 'Old' }",
			"{ 'struct': 'New', 'data': { 'b': 'int', 'c': 'int' } } { 'command': 'c', 'returns': 'New' }",
			"!the struct 'Old' is gone\nthe struct 'New' is new\n!the command 'c' now returns 'New', before 'Old'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, err := loadText(c.old + types)
			require.NoError(t, err)
			new, err := loadText(c.new + types)
			require.NoError(t, err)
			var lines []string
			for _, change := range schema.Diff(old, new) {
				line := change.String()
				if change.Breaks {
					line = "!" + line
				}
				lines = append(lines, line)
			}
			require.Equal(t, c.want, strings.Join(lines, "\n"))
			require.Empty(t, schema.Diff(new, new))
		})
	}
}

// TestDiffReleases checks what is known about the releases: how many commands and
// events were added and removed, and which types were renamed.
func TestDiffReleases(t *testing.T) {
	for _, c := range []struct {
		old, new                                         string
		commandsNew, commandsGone, eventsNew, eventsGone int
		renamed                                          []string
	}{
		{"5.2", "7.2", 33, 9, 4, 0, []string{"BlockDirtyBitmapOrStr"}},
		{"7.2", "10.0", 22, 2, 6, 2, []string{"QCryptoHashAlgo", "QCryptoCipherAlgo", "QCryptoIVGenAlgo", "QCryptoAkCipherAlgo", "QCryptoRSAPaddingAlgo", "S390CpuState"}},
		{"10.0", "10.2", 5, 1, 1, 0, []string{"QemuTargetInfo", "SgxEpcSection", "SgxInfo"}},
	} {
		t.Run(c.old+" to "+c.new, func(t *testing.T) {
			old, err := qemu.Load(c.old, qemu.QMP)
			require.NoError(t, err)
			new, err := qemu.Load(c.new, qemu.QMP)
			require.NoError(t, err)
			changes := schema.Diff(old, new)
			count := func(kind schema.ChangeKind, what string) int {
				n := 0
				for _, c := range changes {
					if c.Kind == kind && c.What == what {
						n++
					}
				}
				return n
			}
			require.Equal(t, c.commandsNew, count(schema.Added, "command"))
			require.Equal(t, c.commandsGone, count(schema.Removed, "command"))
			require.Equal(t, c.eventsNew, count(schema.Added, "event"))
			require.Equal(t, c.eventsGone, count(schema.Removed, "event"))
			var renamed []string
			for _, c := range changes {
				if c.Kind == schema.Renamed {
					renamed = append(renamed, c.New)
				}
			}
			require.ElementsMatch(t, c.renamed, renamed)
		})
	}
}

func TestReport(t *testing.T) {
	old, err := loadText("{ 'command': 'a' } { 'command': 'b' } { 'event': 'E', 'if': 'X' }")
	require.NoError(t, err)
	new, err := loadText("{ 'command': 'b', 'features': [ 'deprecated' ] } { 'event': 'E' } { 'event': 'F' }")
	require.NoError(t, err)
	changes := schema.Diff(old, new)
	require.Equal(t, `Breaks Go code (1)
  the command 'a' is gone

Newly deprecated or unstable (1)
  the command 'b' is now deprecated

New (1)
  the event 'F' is new

Other (1)
  the event 'E' is now always there, before only if 'X'
`, schema.Report(changes, false))
	require.Contains(t, schema.Report(changes, true), "### Breaks Go code (1)\n\n- the command `a` is gone\n\n### Newly")
	require.Equal(t, "Nothing has changed.\n", schema.Report(nil, false))
}

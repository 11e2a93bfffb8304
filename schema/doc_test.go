package schema_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/schema"
)

// TestKeepDocs reads documentation of each style.
func TestKeepDocs(t *testing.T) {
	current := `##
# @cmd:
#
# First paragraph
# goes on.
#
# Second.
#
# @a: one line,
#     and another
#
#     after a gap (default: 3; since 1.5)
#
# @b:
#     below (since
#     2.0.0)
#
# Features:
#
# @feat: what it does
#
# .. note:: plain text
#
#    in two parts
#
# Returns: something
#
# Errors:
#     - one
#     - two
#
# Since: 1.4.0
##
{ 'struct': 'St', 'data': {} }`
	const def = "{ 'command': 'cmd', 'data': { 'a': 'int', '*b': 'str' }, 'returns': 'St', 'features': [ 'feat' ] }\n"
	current = current[:len(current)-len("{ 'struct': 'St', 'data': {} }")] + def + "{ 'struct': 'St', 'data': {} }"
	s, err := loadText(current, schema.KeepDocs())
	require.NoError(t, err)
	cmd := s.Lookup("cmd").(*schema.Command)
	require.Equal(t, "1.4", cmd.Since)
	args := cmd.Args.(*schema.Struct).Members
	require.Equal(t, "1.5", args[0].Since)
	require.Equal(t, "2.0", args[1].Since)
	require.Equal(t, &schema.Doc{
		Body: "First paragraph\ngoes on.\n\nSecond.",
		Members: map[string]string{
			"a": "one line,\n    and another\n\n    after a gap (default: 3; since 1.5)",
			"b": "    below (since\n    2.0.0)",
		},
		Features: map[string]string{"feat": "what it does"},
		Sections: []schema.DocSection{
			{Text: ".. note:: plain text\n\n   in two parts"},
			{Tag: "Returns", Text: "something"},
			{Tag: "Errors", Text: "    - one\n    - two"},
			{Tag: "Since", Text: "1.4.0"},
		},
	}, cmd.Doc)

	old := `##
# @cmd:
# Body
# @a: text
#     more since 1.5)
# @b: #optional (since 2.1)
#
# Features:
# @feat: what it does (since 5.0)
#
# Returns: Nothing.
# Example:
# -> { "x" }
#
# Since 1.4
##
` + def + "{ 'struct': 'St', 'data': {} }\n##\n# @A:\n#\n# Note: old\n##\n{ 'event': 'A' }"
	s, err = loadText(old, schema.KeepDocs())
	require.NoError(t, err)
	cmd = s.Lookup("cmd").(*schema.Command)
	require.Equal(t, "1.4", cmd.Since)
	require.Equal(t, "5.0", cmd.Features[0].Since)
	require.Equal(t, "2.1", cmd.Args.(*schema.Struct).Members[1].Since)
	require.Equal(t, "Body", cmd.Doc.Body)
	require.Equal(t, "Example", cmd.Doc.Sections[1].Tag)
	require.Equal(t, `-> { "x" }`, cmd.Doc.Sections[1].Text)
	require.Nil(t, s.Lookup("St").Def().Doc)

	s, err = loadText(old)
	require.NoError(t, err)
	require.Nil(t, s.Lookup("cmd").Def().Doc)
}

// TestKeepDocsReleases finds the documentation of everything in the releases
// that ask for it.
func TestKeepDocsReleases(t *testing.T) {
	for _, release := range short.Ends([]string{"5.2", "7.2", "10.0", "10.2"}) {
		for target := range roots {
			s := loadRelease(t, release, target, schema.KeepDocs())
			for _, def := range s.Definitions() {
				doc := def.Def().Doc
				require.NotNil(t, doc, def.Def().Name)
				if def.Def().Name != "GuestDeviceType" { // the only definition without a description
					require.True(t, doc.Body != "" || len(doc.Members) > 0 || len(doc.Sections) > 0, def.Def().Name)
				}
			}
		}
	}
}

// TestSince checks facts that are well known.
func TestSince(t *testing.T) {
	for _, release := range ends() {
		s := loadRelease(t, release, "qmp")
		require.Equal(t, "2.9", s.Lookup("blockdev-add").Def().Since, release)
		require.Equal(t, "0.14", s.Lookup("eject").Def().Since, release)
		driver := s.Lookup("BlockdevDriver").(*schema.Enum)
		require.Equal(t, "2.12", driver.Value("nvme").Since, release)
		require.Empty(t, driver.Value("file").Since, release)
		eject := s.Lookup("eject").(*schema.Command).Args.(*schema.Struct)
		require.Equal(t, "2.8", eject.Members[1].Since, release)
	}
}

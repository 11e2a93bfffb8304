package descriptions

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
)

func load(text string) (Descriptions, error) {
	return Load(fstest.MapFS{"test.md": {Data: []byte(text)}})
}

func TestLoad(t *testing.T) {
	all, err := load("# eject\n\nopens the tray\nof a drive.\n\nIt may fail.\n\n- id: The device,\n  by its id.\n- force: Even if locked.\n\n# STOP\n\nsays so.\n")
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.Equal(t, "opens the tray\nof a drive.\n\nIt may fail.", all["eject"].Text)
	assert.Equal(t, map[string]string{"id": "The device, by its id.", "force": "Even if locked."}, all["eject"].Members)
	assert.Equal(t, "says so.", all["STOP"].Text)
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"opens":                "test.md:1: text before the first '# name'",
		"# a\n# a":             "test.md:2: 'a' is described at test.md:1 already",
		"# a\n- b":             "test.md:2: an item must be '- name: text'",
		"# a\n- b: x\n- b: y":  "test.md:3: 'b' is described twice",
		"# a\n- b: x\n\nMore.": "test.md:4: text after the items",
	} {
		_, err := load(text)
		assert.ErrorContains(t, err, want)
	}
}

func TestCheck(t *testing.T) {
	s, err := schema.Load(fstest.MapFS{"test.json": {Data: []byte(`
{ 'struct': 'Base', 'data': { 'id': 'str' } }
{ 'struct': 'Derived', 'base': 'Base', 'data': { 'size': 'int' } }
{ 'command': 'eject', 'data': { 'force': 'bool' } }
{ 'enum': 'Tag', 'data': [ 'one', 'two' ] }
{ 'union': 'Uni', 'base': { 'tag': 'Tag' }, 'discriminator': 'tag', 'data': { 'one': 'Base' } }
`)}}, "test.json")
	require.NoError(t, err)
	all, err := load("# eject\n\nx\n\n- force: y\n- farce: z\n\n# Base\n\n- id: The id.\n- *: no\n\n# Derived\n\n- id: no\n\n# gone\n\nx\n\n# Uni\n\n- *: x\n")
	require.NoError(t, err)
	var got []string
	for _, err := range all.Check(s) {
		got = append(got, err.Error())
	}
	assert.ElementsMatch(t, []string{
		"test.md:1: command 'eject' has no 'farce'",
		"test.md:8: struct 'Base' has no '*'",
		"test.md:13: struct 'Derived' has no 'id'",
		"test.md:17: the schema has no 'gone'",
	}, got)
	delete(all["Derived"].Members, "id")
	assert.Equal(t, "The id.", all.Member(s.Lookup("Derived"), "id"), "described with the base")
}

package names

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// TestInitialismsAreUsed fails for a row of the table that no name of any
// known release needs.
func TestInitialismsAreUsed(t *testing.T) {
	unused := map[string]bool{}
	for word := range initialisms {
		unused[word] = true
	}
	use := func(name string) {
		for _, part := range words(name) {
			word := strings.ToLower(part.word)
			delete(unused, word)
			delete(unused, strings.TrimSuffix(word, "s"))
		}
	}
	for _, release := range qemu.Releases() {
		for _, root := range []string{"qapi/qapi-schema.json", "qga/qapi-schema.json"} {
			fsys, err := qemu.FS(release)
			require.NoError(t, err)
			s, err := schema.Load(fsys, root)
			require.NoError(t, err)
			for _, def := range s.Definitions() {
				use(def.Def().Name)
				for _, name := range parts(def) {
					use(name)
				}
			}
		}
	}
	require.Empty(t, unused, "initialisms that no schema has")
}

// parts are the names of the members, values and branches of a definition.
func parts(def schema.Definition) []string {
	var names []string
	members := func(t schema.Type) {
		if st, ok := t.(*schema.Struct); ok {
			for _, m := range st.Members {
				names = append(names, m.Name)
			}
		}
	}
	switch d := def.(type) {
	case *schema.Enum:
		for _, v := range d.Values {
			names = append(names, v.Name)
		}
	case *schema.Struct:
		members(d)
	case *schema.Union:
		members(d.Base)
	case *schema.Command:
		members(d.Args)
	case *schema.Event:
		members(d.Data)
	}
	return names
}

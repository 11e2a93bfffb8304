package names

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// TestInitialismsAreUsed fails for a row of the table that no name of a known release
// needs.
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
	for _, release := range short.Ends(qemu.Releases()) {
		for _, root := range []string{"qapi/qapi-schema.json", "qga/qapi-schema.json"} {
			fsys, err := qemu.FS(release)
			require.NoError(t, err)
			s, err := schema.Load(fsys, root)
			require.NoError(t, err)
			for _, def := range s.Definitions() {
				use(def.Def().Name)
				for _, name := range schema.Parts(def) {
					use(name)
				}
			}
		}
	}
	for _, release := range qemu.DeviceReleases() {
		l, err := qemu.Devices(release)
		require.NoError(t, err)
		for _, d := range l.Types {
			use(d.Name)
			for _, p := range d.Props {
				use(p.Name)
			}
		}
	}
	require.Empty(t, unused, "initialisms that no schema and no device has")
}

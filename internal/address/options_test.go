package address

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// Every option that a release has for a socket can be in an address of that kind, and each of our
// options is one that a release has.
func TestOptionsOfReleases(t *testing.T) {
	where := map[string]bool{"addr": true, "path": true, "host": true, "port": true} // before the options
	used := map[string]bool{
		// Words of -chardev that no schema has, which all releases take, 5.2 to 11.1.
		"id": true, "mux": true, "delay": true,
	}
	for _, release := range qemu.Releases() {
		s, err := qemu.Load(release, qemu.QMP)
		require.NoError(t, err)
		for def, kinds := range map[string][]string{
			"ChardevSocket": {"unix", "tcp"}, "InetSocketAddress": {"tcp"}, "UnixSocketAddress": {"unix"},
		} {
			st, ok := s.Lookup(def).(*schema.Struct)
			require.True(t, ok, "%s of QEMU %s", def, release)
			for _, m := range st.AllMembers() {
				for _, kind := range kinds {
					if !where[m.Name] {
						assert.NotNil(t, find(kind, m.Name), "%s: %s of QEMU %s's %s", kind, m.Name, release, def)
						used[m.Name] = true
					}
				}
			}
		}
	}
	for _, o := range options {
		assert.True(t, used[o.name], "no release has %s", o.name)
	}
}

package device

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/qemu"
)

// allLists returns the lists of all releases, the oldest first.
func allLists(t testing.TB) []*devices.List {
	t.Helper()
	var lists []*devices.List
	for _, release := range qemu.DeviceReleases() {
		l, err := qemu.Devices(release)
		require.NoError(t, err)
		lists = append(lists, l)
	}
	return lists
}

// TestCurated checks that each device that users can create is either curated or left out for a
// reason, and that each row is needed.
func TestCurated(t *testing.T) {
	here := map[string]bool{}
	for _, g := range curated {
		for _, name := range g.names {
			assert.False(t, here[name], "%s is curated twice", name)
			here[name] = true
		}
	}
	used := make([]int, len(leftOut))
	patterns := map[string]bool{}
	for _, l := range allLists(t) {
		for _, typ := range l.Types {
			if !typ.User() {
				continue
			}
			row := slices.IndexFunc(leftOut, func(o omission) bool { return o.has(typ) })
			switch {
			case here[typ.Name]:
			case assert.GreaterOrEqual(t, row, 0, "%s of QEMU %s is neither curated nor left out for a reason", typ.Name, l.Release):
				used[row]++
				for _, pattern := range leftOut[row].names {
					if (omission{names: []string{pattern}}).has(typ) {
						patterns[pattern] = true
					}
				}
			}
		}
	}
	for i, o := range leftOut {
		assert.NotZero(t, used[i], "leftOut: no device for: %s", o.why)
		for _, pattern := range o.names {
			assert.True(t, patterns[pattern], "leftOut: no device is %s", pattern)
		}
	}
}

// TestUseless checks that each row of the table leaves a property out.
func TestUseless(t *testing.T) {
	lists := allLists(t)
	for name := range useless {
		found := false
		for _, g := range curated {
			for _, device := range g.names {
				found = found || slices.ContainsFunc(merge(lists, device).props, func(p *prop) bool { return p.Name == name })
			}
		}
		assert.True(t, found, "useless: no device has %s", name)
	}
	for row := range family {
		assert.NotNil(t, lists[len(lists)-1].Type(family[row]), "family: there is no type %s", family[row])
	}
}

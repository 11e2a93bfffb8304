package device

import (
	"maps"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/schema/devices"
)

// merged has the facts of all releases about a device.
type merged struct {
	newest *devices.Type // as in the newest release that has the device
	in     places
	props  []*prop // in the order of their groups
}

// A prop is a property of a device, as in the newest release that has the property.
type prop struct {
	devices.Prop
	in places
	// generation is how many levels above the device the property belongs: 0 is the device
	// itself, 1 its parent.
	generation int
}

// merge combines the facts of the lists, the oldest first, about a device. It returns nil if
// users cannot create the device in any of them.
func merge(lists []*devices.List, name string) *merged {
	m := &merged{in: places{}}
	props := map[string]*prop{}
	for r, l := range lists {
		t := l.Type(name)
		if t == nil || !t.User() {
			continue
		}
		m.newest = t
		for _, target := range l.TargetsOf(t) {
			m.in.add(target, r)
		}
		for _, p := range l.Props(t) {
			if !settable(p) {
				continue
			}
			known := props[p.Name]
			if known == nil {
				known = &prop{in: places{}}
				props[p.Name] = known
			}
			if _, again := known.in.releases(r); !again { // otherwise another target of the same release has it
				known.Prop, known.generation = p, generation(l, t, p.Name)
			}
			for _, target := range l.TargetsOf(t) {
				if p.Targets == nil || slices.Contains(p.Targets, target) {
					known.in.add(target, r)
				}
			}
		}
	}
	if m.newest == nil {
		return nil
	}
	m.props = slices.SortedFunc(maps.Values(props), compareProps)
	return m
}

// generation returns how many levels above a type the highest parent is that has a property;
// 0 is the type itself. A parent whose name begins with the type's name, such as
// virtio-blk-pci-base for virtio-blk-pci, counts as the type itself.
func generation(l *devices.List, t *devices.Type, prop string) int {
	n, at := 0, 0
	for a := range l.Ancestry(t) {
		if !strings.HasPrefix(a.Name, t.Name) {
			n++
		}
		has := func(p devices.Prop) bool { return p.Name == prop && !p.Absent }
		if slices.ContainsFunc(a.Props, has) || family[prop] == a.Name {
			at = n
		}
	}
	return at
}

// family has properties that count as properties of a parent, although not all types below
// that parent have them: it maps each to the parent's name.
var family = map[string]string{
	"disable-legacy": "virtio-pci", // transitional devices lack it
	"disable-modern": "virtio-pci",
}

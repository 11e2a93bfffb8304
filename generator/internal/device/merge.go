package device

import (
	"maps"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/schema/devices"
)

// merged is what all releases say of a device.
type merged struct {
	newest *devices.Type // as the newest release has it that has it
	in     places
	props  []*prop // in the order of their groups
}

// A prop is a property of a device, as the newest release has it that has it.
type prop struct {
	devices.Prop
	in places
	// generation is how far above the device the type is that has the property: 0 is the
	// device itself.
	generation int
}

// merge brings together what the lists, the oldest first, say of a device; nil if users can
// create it in none of them.
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
			if _, again := known.in.releases(r); !again { // not that of another target
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

// generation is how far above a type the one is that has a property. What is above it by name
// only, as virtio-blk-pci-base is above virtio-blk-pci, counts as the type itself.
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

// family are properties that belong to a type further above than where all that are below it
// have them.
var family = map[string]string{
	"disable-legacy": "virtio-pci", // transitional devices lack it
	"disable-modern": "virtio-pci",
}

package machine

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/release"
	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/devices/rules"
	"github.com/goqapi/goqapi/schema/qemu"
)

// target is the target whose devices the machine has.
const target = "x86_64"

// A catalog knows the devices of a release.
type catalog struct {
	rules rules.Rules
	rel   *release.Release

	// lists has the facts of the release. If there are none, it has those of the releases before and
	// after it: then the release has the devices and properties of both.
	lists  []*devices.List
	models sync.Map // *model by name: each is made once
}

// A model is a type of devices.
type model struct {
	*devices.Type
	props  []devices.Prop // in the order of their names
	isCPU  bool
	onPort bool // it is one port, with one slot
}

// catalogs has a function that makes the catalog, by release.
var catalogs sync.Map

// catalog returns that of the machine's release. It is made when it is first needed, and once
// for all machines.
func (m *Machine) catalog() *catalog {
	name := m.host.Release()
	made, _ := catalogs.LoadOrStore(name, sync.OnceValue(func() *catalog { return newCatalog(name) }))
	c := made.(func() *catalog)()
	for _, d := range m.devices {
		if d.model == nil { // it was there before the catalog
			d.model = c.model(d.driver)
		}
	}
	return c
}

func newCatalog(name string) *catalog {
	rel, err := release.Load(name, qemu.QMP)
	if err != nil {
		panic(fmt.Sprintf("qmptest: QEMU %s: %v", name, err)) // the server has loaded it
	}
	c := &catalog{rules: rules.Of(name), rel: rel}
	c.rules.Fits = func(typ string, value []byte) (string, bool) { return rel.RefuseValue("value", typ, value) }
	for _, known := range versions.Around(name, qemu.DeviceReleases()) {
		l, err := qemu.Devices(known)
		if err != nil {
			panic(fmt.Sprintf("qmptest: the devices of QEMU %s: %v", known, err)) // a test reads them all
		}
		c.lists = append(c.lists, l)
	}
	return c
}

// model returns the type of devices of that name or alias, or nil.
func (c *catalog) model(name string) *model {
	if known, ok := c.models.Load(name); ok {
		return known.(*model)
	}
	var m *model
	for _, l := range c.lists {
		t := l.Find(name, target)
		if t == nil {
			continue
		}
		if m == nil {
			m = &model{Type: t}
		}
		m.add(l, t)
	}
	if m == nil {
		return nil
	}
	known, _ := c.models.LoadOrStore(name, m)
	return known.(*model)
}

// add adds to a model what a list says about it.
func (m *model) add(l *devices.List, t *devices.Type) {
	known := *m
	for _, p := range l.PropsOn(t, target) {
		if known.prop(p.Name) == nil {
			m.props = append(m.props, p)
		}
	}
	slices.SortFunc(m.props, func(a, b devices.Prop) int { return cmp.Compare(a.Name, b.Name) })
	for a := range l.Ancestry(t) {
		m.isCPU = m.isCPU || a.Name == "cpu"
		m.onPort = m.onPort || a.Name == "pcie-slot"
	}
}

// prop returns a property of the model, or nil.
func (m *model) prop(name string) *devices.Prop {
	i, found := slices.BinarySearchFunc(m.props, name, func(p devices.Prop, name string) int { return cmp.Compare(p.Name, name) })
	if !found {
		return nil
	}
	return &m.props[i]
}

// is reports whether it is a type of devices, or below it in the tree of types.
func (c *catalog) is(name, typ string) bool {
	for _, l := range c.lists {
		if t := l.Type(name); t != nil {
			for a := range l.Ancestry(t) {
				if a.Name == typ {
					return true
				}
			}
		}
	}
	return false
}

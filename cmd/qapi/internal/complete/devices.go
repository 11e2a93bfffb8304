package complete

import (
	"context"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

func (e *Engine) lists() []*devices.List {
	if e.Devices == nil {
		return nil
	}
	return e.Devices()
}

// deviceTypes returns the types of devices that can be added: those of the server, except the ones
// that are known to be parts of machines; without a server, all that are known.
func (e *Engine) deviceTypes(ctx context.Context) []string {
	known := map[string]bool{} // whether a user can add it
	for _, list := range e.lists() {
		for _, t := range list.Types {
			known[t.Name] = known[t.Name] || t.User()
		}
	}
	var names []string
	if e.Live != nil {
		for _, name := range e.Live.Names(ctx, DeviceType, "") {
			if user, listed := known[name]; user || !listed {
				names = append(names, name)
			}
		}
	}
	if names != nil {
		return names
	}
	for name, user := range known {
		if user {
			names = append(names, name)
		}
	}
	return names
}

// properties returns the properties of the device whose type is on the line.
func (l *line) properties() []member {
	e, driver := l.engine, l.given["driver"]
	if driver == "" {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.driver != driver {
		e.driver, e.props = driver, e.knownProperties(driver)
	}
	if e.props == nil && e.Live != nil {
		return e.askProperties(l.ctx, driver)
	}
	return e.props
}

// knownProperties returns the properties in the facts; nil if the device is not there.
func (e *Engine) knownProperties(driver string) []member {
	var found []member
	for _, list := range e.lists() {
		t := findType(list, driver)
		if t == nil {
			continue
		}
		if found == nil {
			found = []member{}
		}
		for _, p := range list.Props(t) {
			if !p.ReadOnly {
				found = append(found, e.property(p))
			}
		}
	}
	return found
}

// askProperties asks the server, but only about types of which nothing is known: questions about
// some types end QEMU 7.2.
func (e *Engine) askProperties(ctx context.Context, driver string) []member {
	var found []member
	for _, name := range e.Live.Names(ctx, Property, driver) {
		found = append(found, memberOf(name, schema.Str, false))
	}
	return found
}

// findType returns a type by its name or its alias on any target.
func findType(list *devices.List, name string) *devices.Type {
	if t := list.Type(name); t != nil {
		return t
	}
	i := slices.IndexFunc(list.Types, func(t *devices.Type) bool { return t.Alias == name })
	if i < 0 {
		return nil
	}
	return list.Types[i]
}

// kindsOfProperties says, for each kind of a device's property, what its values name.
var kindsOfProperties = map[devices.Kind]Kind{
	devices.KindDrive:    Node,
	devices.KindNetdev:   Netdev,
	devices.KindChardev:  Chardev,
	devices.KindAudiodev: Audiodev,
	devices.KindTPMDev:   TPM,
}

func (e *Engine) property(p devices.Prop) member {
	m := memberOf(p.Name, e.typeOf(p), false)
	m.kind = kindsOfProperties[p.Kind]
	if m.kind == None && strings.HasPrefix(p.Type, "link<") {
		m.kind = Object
		if p.Type == "link<iothread>" {
			m.kind = IOThread
		}
	}
	return m
}

// typeOf returns the type of a property, as far as completion needs it.
func (e *Engine) typeOf(p devices.Prop) schema.Type {
	types := e.Types
	if types == nil {
		types = e.Interface
	}
	switch {
	case p.Kind == devices.KindStringList:
		return &schema.Array{Elem: schema.Str}
	case p.Kind == devices.KindUint32List:
		return &schema.Array{Elem: schema.Int}
	case p.Type == "bool":
		return schema.Bool
	case p.Type == "size", strings.HasPrefix(p.Type, "int"), strings.HasPrefix(p.Type, "uint"):
		return schema.Int
	}
	if enum, ok := types.Lookup(p.Type).(*schema.Enum); ok {
		return enum
	}
	return schema.Str
}

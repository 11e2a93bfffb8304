package machine

import (
	"maps"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) qomCommands() map[string]Handler {
	return map[string]Handler{
		"qom-list": handle(m, m.qomList),
		"qom-get":  handle(m, m.qomGet),
	}
}

// tree is the part of the tree of objects that is there: the properties of each
// object by its path. A property whose type is child<…> is an object below.
func (m *Machine) tree() map[string][]qapi.ObjectPropertyInfo {
	tree := map[string][]qapi.ObjectPropertyInfo{}
	add := func(path, kind string) {
		tree[path] = []qapi.ObjectPropertyInfo{{Name: "type", Type: "string"}}
		if i := strings.LastIndex(path, "/"); path != "/" {
			above := path[:max(i, 1)]
			tree[above] = append(tree[above], qapi.ObjectPropertyInfo{Name: path[i+1:], Type: "child<" + kind + ">"})
		}
	}
	add("/", "container")
	add("/machine", "pc-i440fx-"+m.host.Release()+"-machine")
	for _, path := range []string{"/objects", "/chardevs", "/machine/peripheral", "/machine/peripheral-anon"} {
		add(path, "container")
	}
	add("/objects/pc.ram", "memory-backend-ram")
	for _, o := range m.objects {
		add("/objects/"+o.id, o.kind)
	}
	for _, c := range m.chardevs {
		add("/chardevs/"+c.id, "chardev-"+c.kind)
	}
	for _, d := range m.devices {
		add(d.path, d.driver)
		for _, name := range slices.Sorted(maps.Keys(d.props)) {
			tree[d.path] = append(tree[d.path], qapi.ObjectPropertyInfo{Name: name, Type: "str"})
		}
	}
	return tree
}

// absolute is a path as the tree has it.
func absolute(path string) string {
	return "/" + strings.Trim(path, "/")
}

func (m *Machine) qomList(args qapi.QOMListArgs, _ Request) (any, error) {
	properties, ok := m.tree()[absolute(args.Path)]
	if !ok {
		return nil, notFound(args.Path)
	}
	return properties, nil
}

// qomGet knows the type of each object, and what a device was given.
func (m *Machine) qomGet(args qapi.QOMGetArgs, _ Request) (any, error) {
	path := absolute(args.Path)
	if _, ok := m.tree()[path]; !ok {
		return nil, notFound(args.Path)
	}
	kind := m.typeOf(path)
	if args.Property == "type" {
		return kind, nil
	}
	if d := m.device(path); d != nil {
		if v, ok := d.props[args.Property]; ok {
			return v, nil
		}
	}
	return nil, generic("Property '%s.%s' not found", kind, args.Property)
}

func (m *Machine) typeOf(path string) string {
	i := strings.LastIndex(path, "/")
	for _, p := range m.tree()[path[:max(i, 1)]] {
		if kind, ok := strings.CutPrefix(p.Type, "child<"); ok && p.Name == path[i+1:] {
			return strings.TrimSuffix(kind, ">")
		}
	}
	return "container"
}

package machine

import (
	"math"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) qomCommands() map[string]Handler {
	return map[string]Handler{
		"qom-list":       handle(m, m.qomList),
		"qom-list-types": handle(m, m.qomListTypes),
		"qom-get":        handle(m, m.qomGet),
		"qom-set":        change(m, m.qomSet),
		"qom-list-get":   handle(m, m.qomListGet),
	}
}

// tree returns the part of the tree of objects that this machine has: the properties of each
// object by its path, except those of devices. A property whose type is child<…> is an
// object below.
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
	add("/machine", m.kind())
	for _, path := range []string{
		"/objects", "/chardevs", "/machine/peripheral", "/machine/peripheral-anon", "/machine/unattached",
	} {
		add(path, "container")
	}
	add("/objects/pc.ram", "memory-backend-ram")
	if m.since("11.1") {
		add("/objects/"+monitor, "monitor-qmp")
	}
	for _, o := range m.objects {
		add("/objects/"+o.id, o.kind)
	}
	for _, c := range m.chardevs {
		add("/chardevs/"+c.id, "chardev-"+c.kind)
	}
	for _, d := range m.devices {
		add(d.path, d.driver)
	}
	m.addBuses(tree, add)
	m.addProperties(tree, "/machine")
	m.addProperties(tree, "/objects/pc.ram")
	return tree
}

// resolve finds an object in the tree: by its path, or by the end of its path, if that is unique.
func (m *Machine) resolve(path string) (object string, properties []qapi.ObjectPropertyInfo, err error) {
	tree := m.tree()
	object = "/" + strings.Trim(path, "/")
	if !strings.HasPrefix(path, "/") {
		var all []string
		for whole := range tree {
			if strings.HasSuffix(whole, object) {
				all = append(all, whole)
			}
		}
		if len(all) != 1 {
			return "", nil, notFound(path)
		}
		object = all[0]
	}
	if tree[object] == nil {
		return "", nil, notFound(path)
	}
	if d := m.device(object); d != nil {
		m.catalog()
		return object, append(d.infos(), parts(tree[object])...), nil
	}
	return object, tree[object], nil
}

// parts returns the properties that are objects below.
func parts(list []qapi.ObjectPropertyInfo) []qapi.ObjectPropertyInfo {
	return slices.DeleteFunc(list, func(p qapi.ObjectPropertyInfo) bool { return !strings.HasPrefix(p.Type, "child<") })
}

func (m *Machine) qomList(args qapi.QOMListArgs, _ Request) (any, error) {
	_, properties, err := m.resolve(args.Path)
	if err != nil {
		return nil, err
	}
	return properties, nil
}

// qomGet returns the value of a property. It knows the type of each object, and the properties of devices.
func (m *Machine) qomGet(args qapi.QOMGetArgs, _ Request) (any, error) {
	path, _, err := m.resolve(args.Path)
	if err != nil {
		return nil, err
	}
	kind := m.typeOf(path)
	if args.Property == "type" {
		return kind, nil
	}
	if v := m.settable(path)[args.Property]; v != nil {
		return *v, nil
	}
	if v, ok := m.property(path, args.Property); ok {
		return v, nil
	}
	if d := m.device(path); d != nil {
		if p := d.property(args.Property); p != nil {
			return m.get(d, p), nil
		}
	}
	return nil, generic("Property '%s.%s' not found", kind, args.Property)
}

// addProperties adds those properties of an object to the tree that are in the list of facts only.
func (m *Machine) addProperties(tree map[string][]qapi.ObjectPropertyInfo, path string) {
	there := map[string]bool{} // as objects of their own
	for _, p := range tree[path] {
		there[p.Name] = true
	}
	for name, p := range m.propertiesOf(path) {
		if there[name] {
			continue
		}
		tree[path] = append(tree[path], qapi.ObjectPropertyInfo{Name: name, Type: p.kind})
	}
}

// settable returns the properties of an object that change something here.
func (m *Machine) settable(path string) map[string]*int64 {
	if d := m.device(path); d != nil && d.isBalloon() {
		return map[string]*int64{"guest-stats-polling-interval": &d.polling}
	}
	id, ok := strings.CutPrefix(path, "/objects/")
	if o := m.object(id); ok && o != nil && o.iothread != nil {
		return map[string]*int64{
			"poll-max-ns": &o.iothread.PollMaxNs, "poll-grow": &o.iothread.PollGrow, "poll-shrink": &o.iothread.PollShrink,
		}
	}
	return nil
}

// qomSet sets what can be set while a device or an object is in use, which is little.
func (m *Machine) qomSet(args qapi.QOMSetArgs, req Request) error {
	path, properties, err := m.resolve(args.Path)
	if err != nil {
		return err
	}
	if d := m.device(path); d != nil && d.isVirtioMem() && args.Property == "requested-size" {
		return m.setWanted(d, req)
	}
	if to := m.settable(path)[args.Property]; to != nil {
		var v struct {
			Value int64 `json:"value"`
		}
		switch err := req.Decode(&v); {
		case err != nil:
			return generic("Invalid parameter type for '%s', expected: integer", args.Property)
		case v.Value < 0:
			return generic("%s value must be in range [0, %d]", args.Property, int64(math.MaxInt64))
		}
		*to = v.Value
		return nil
	}
	if ok, err := m.setProperty(path, args.Property, req); ok {
		return err
	}
	if d := m.device(path); d != nil && d.property(args.Property) != nil {
		return m.setLate(d, d.property(args.Property), req)
	}
	kind := m.typeOf(path)
	if !slices.ContainsFunc(properties, func(p qapi.ObjectPropertyInfo) bool { return p.Name == args.Property }) {
		return generic("Property '%s.%s' not found", kind, args.Property)
	}
	return generic("Property '%s.%s' is not writable", kind, args.Property)
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

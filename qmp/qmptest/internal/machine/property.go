package machine

import (
	_ "embed"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

//go:embed objects.txt
var objectFacts string

// A property of an object that has no effect here.
type property struct {
	kind  string
	value jsontext.Value // nil: it is another object
}

// propertiesOf returns the properties of an object that are in the list of facts, by name.
func (m *Machine) propertiesOf(path string) map[string]property {
	all := map[string]property{}
	for _, r := range m.records(objectFacts) {
		if r.name != path {
			continue
		}
		for _, p := range r.parts {
			kind := strings.ReplaceAll(p.words["type"], "_", " ")
			if strings.Contains(kind, "<") || kind == "uint64 t" {
				kind = p.words["type"]
			}
			all[p.name] = property{kind, jsontext.Value(p.words["value"])}
		}
	}
	return all
}

// property returns the value of a property that is in the list of facts, or was set.
func (m *Machine) property(path, name string) (any, bool) {
	if v, ok := m.props[path+"."+name]; ok {
		return v, true
	}
	if child := strings.TrimSuffix(path, "/") + "/" + name; m.tree()[child] != nil {
		return child, true
	}
	p, ok := m.propertiesOf(path)[name]
	switch {
	case ok && len(p.value) == 0 && p.kind != "struct tm":
		return path + "/" + name, true
	case ok && p.kind == "struct tm":
		return clock(time.Now().UTC()), true
	case ok:
		return p.value, true
	case path != cpuPath:
		return nil, false
	}
	if v, ok := cpuStates[name]; ok {
		return jsontext.Value(v), true
	}
	for _, p := range m.cpuProperties("qemu64") {
		if p.name == name {
			return p.value, true
		}
	}
	return nil, false
}

// cpuStates are the properties in which the machine's processor differs from its model.
var cpuStates = map[string]string{
	"apic-id": "0", "core-id": "0", "die-id": "0", "hotpluggable": "true", "hotplugged": "false", "parent_bus": `""`,
	"phys-bits": "40", "realized": "true", "ucode-rev": "16777317", "socket-id": "0", "thread-id": "0", "unavailable-features": "[]",
}

// clock returns a time in the form in which QEMU shows the guest's clock.
func clock(t time.Time) map[string]int {
	return map[string]int{
		"tm_year": t.Year() - 1900, "tm_mon": int(t.Month()) - 1, "tm_mday": t.Day(),
		"tm_hour": t.Hour(), "tm_min": t.Minute(), "tm_sec": t.Second(),
	}
}

// qomListGet returns the properties of several objects, with their values.
func (m *Machine) qomListGet(args qapi.QOMListGetArgs, req Request) (any, error) {
	all := []qapi.ObjectPropertiesValues{}
	for _, path := range args.Paths {
		object, properties, err := m.resolve(path)
		if err != nil {
			return nil, err
		}
		values := qapi.ObjectPropertiesValues{Properties: []qapi.ObjectPropertyValue{}}
		for _, p := range properties {
			one := qapi.ObjectPropertyValue{Name: p.Name, Type: p.Type}
			if v, err := m.qomGet(qapi.QOMGetArgs{Path: object, Property: p.Name}, req); err == nil {
				if one.Value, err = json.Marshal(v); err != nil {
					return nil, err
				}
			}
			values.Properties = append(values.Properties, one)
		}
		all = append(all, values)
	}
	return all, nil
}

// setProperty sets a property of the machine, which QEMU always allows; ok is false if the machine
// does not have a property of that name.
func (m *Machine) setProperty(path, name string, req Request) (ok bool, err error) {
	p, ok := m.propertiesOf(path)[name]
	if !ok || path != "/machine" {
		return false, nil
	}
	var args struct {
		Value jsontext.Value `json:"value"`
	}
	if err := req.Decode(&args); err != nil {
		return true, err
	}
	switch {
	case len(p.value) == 0 || p.kind == "struct tm":
		return true, generic("Property '%s' is not writable", name)
	case strings.HasPrefix(p.kind, "link<"):
		var id string
		if json.Unmarshal(args.Value, &id) != nil {
			return true, generic("Invalid parameter type for '%s', expected: string", name)
		}
		if _, _, err := m.resolve(id); id != "" && err != nil {
			return true, err
		}
	case kindOf(p.value) != kindOf(args.Value):
		return true, generic("Invalid parameter type for '%s', expected: %s", name, p.kind)
	case p.kind == "OnOffAuto":
		var v qapi.OnOffAuto
		if json.Unmarshal(args.Value, &v) != nil || !v.Known() {
			return true, generic("Parameter '%s' does not accept value '%s'", name, v)
		}
	}
	m.props[path+"."+name] = args.Value
	return true, nil
}

// kindOf returns the kind of a JSON value; true and false have the same kind.
func kindOf(v jsontext.Value) jsontext.Kind {
	if isBool(v) {
		return 't'
	}
	return v.Kind()
}

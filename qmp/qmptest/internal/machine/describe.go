package machine

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema/devices"
)

// deviceListProperties returns the properties of a type of devices, without the parts that it brings
// along and the wires between them, which users can do nothing with.
func (m *Machine) deviceListProperties(args qapi.DeviceListPropertiesArgs, _ Request) (any, error) {
	model := m.catalog().model(args.Typename)
	article := "a "
	if !m.since("6.0") {
		article = ""
	}
	switch {
	case model == nil && qapi.ObjectType(args.Typename).Known(),
		model != nil && model.Abstract:
		return nil, generic("Parameter 'typename' expects %snon-abstract device type", article)
	case model == nil || model.Name != args.Typename: // an alias will not do
		return nil, notFound(args.Typename)
	}
	return describe(model.props, true), nil
}

// describe lists the properties of a type, with their defaults if defaults is true.
func describe(props []devices.Prop, defaults bool) []qapi.ObjectPropertyInfo {
	list := []qapi.ObjectPropertyInfo{}
	for _, p := range props {
		info := qapi.ObjectPropertyInfo{Name: p.Name, Type: p.Type}
		if defaults && p.Default != "" {
			info.DefaultValue = json.RawMessage(p.Default)
		}
		list = append(list, info)
	}
	return list
}

// qomListProperties lists the properties of a type; it knows only the types of devices. 10.0 and 11.1 have
// defaults in their answers, 5.2 and 7.2 do not.
func (m *Machine) qomListProperties(args qapi.QOMListPropertiesArgs, _ Request) (any, error) {
	model := m.catalog().model(args.Typename)
	switch {
	case model == nil && qapi.ObjectType(args.Typename).Known():
		return nil, m.host.NotExecuted("qom-list-properties of " + args.Typename)
	case model == nil || model.Name != args.Typename: // an alias will not do
		return nil, &qmp.Error{Class: qmp.ClassDeviceNotFound, Desc: "Class '" + args.Typename + "' not found"}
	}
	return describe(append(slices.Clip(everyDevice), model.props...), m.since("10.0")), nil
}

// qomListTypes lists types; it knows only those of devices.
func (m *Machine) qomListTypes(args qapi.QOMListTypesArgs, _ Request) (any, error) {
	list := []qapi.ObjectTypeInfo{}
	c := m.catalog()
	for _, l := range c.lists {
		for _, t := range l.Types {
			if !slices.Contains(l.TargetsOf(t), target) || t.Abstract && !value(args.Abstract) ||
				args.Implements != nil && *args.Implements != "object" && !c.is(t.Name, *args.Implements) ||
				slices.ContainsFunc(list, func(info qapi.ObjectTypeInfo) bool { return info.Name == t.Name }) {
				continue
			}
			info := qapi.ObjectTypeInfo{Name: t.Name, Parent: new(t.Parent)}
			if t.Parent == "" {
				info.Parent = new("object")
			}
			if t.Abstract {
				info.Abstract = new(true)
			}
			list = append(list, info)
		}
	}
	return list, nil
}

// infos returns the properties of a device, as qom-list has them.
func (d *device) infos() []qapi.ObjectPropertyInfo {
	return describe(append(slices.Clip(everyDevice), d.model.props...), false)
}

// get returns the value of a property of a device: what it was set to, otherwise the default of its type.
func (m *Machine) get(d *device, p *devices.Prop) any {
	switch p.Name {
	case "size":
		if d.isDIMM() || d.isVirtioMem() {
			return d.has
		}
	case "type":
		return d.driver
	case "realized":
		return true
	case "hotplugged":
		return d.hotplugged
	case "hotpluggable":
		return !d.fixed
	case "parent_bus":
		if d.bus == nil {
			return ""
		}
		return d.bus.path
	}
	if v, set := d.props[p.Name]; set {
		return v
	}
	if p.Default != "" {
		return jsontext.Value(p.Default)
	}
	switch {
	case p.Name == "bootindex":
		return -1
	case p.Type == "bool":
		return p.Name == "attached"
	case p.Type == "list" || strings.HasSuffix(p.Type, "List"):
		return []any{}
	case strings.HasPrefix(p.Type, "int"), strings.HasPrefix(p.Type, "uint"), p.Type == "size":
		return 0
	}
	return ""
}

// live lists the properties that can be set while a device is in use. Here they change nothing else.
var live = []string{"bootindex", "requested-size"}

// setLate sets a property of a device that is in use.
func (m *Machine) setLate(d *device, p *devices.Prop, req Request) error {
	var given struct {
		Value jsontext.Value `json:"value"`
	}
	if err := req.Decode(&given); err != nil {
		return generic("%v", err)
	}
	switch {
	case p.ReadOnly:
		return generic("Property '%s.%s' is not writable", d.driver, p.Name)
	case !slices.Contains(live, p.Name):
		return generic("Attempt to set property '%s' on device '%s' (type '%s') after it was realized", p.Name, d.name(), d.driver)
	}
	r := m.rules()
	r.Lenient = false // only device_add is lenient
	v, _, refusal := r.Take(*p, given.Value)
	if refusal != nil {
		return m.refuse(d, *p, given.Value, refusal)
	}
	d.props[p.Name] = v
	return nil
}

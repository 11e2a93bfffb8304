package machine

import (
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/devices/rules"
)

// refuse returns QEMU's error for a value that a property does not take.
func (m *Machine) refuse(d *device, p devices.Prop, value jsontext.Value, r *rules.Refusal) error {
	if r.Why == rules.ReadOnly {
		if !m.since("6.0") {
			return generic("Insufficient permission to perform this operation")
		}
		return generic("Property '%s.%s' is not writable", d.driver, p.Name)
	}
	text := strings.Trim(string(value), `"`)
	owner := d.class()
	if p.Kind == devices.KindPCIAddr {
		owner = d.driver
	}
	if r.Why == rules.BadValue && p.Kind != devices.KindNone {
		return generic("Property '%s.%s' doesn't take value '%s'", owner, p.Name, text)
	}
	if m.rules().Lenient {
		return m.refuseText(p, text, r)
	}
	switch {
	case p.Kind == devices.KindPCIAddr && r.Why == rules.OutOfRange:
		return generic("Parameter '%s' expects %s", p.Name, r.Must)
	case p.Kind == devices.KindBlockSize && r.Why == rules.OutOfRange:
		return generic("parameter %s must be a power of 2 between 512 and 2097152", p.Name)
	case p.Type == "list":
		return generic("Invalid parameter type for '%s', expected: array", p.Name)
	}
	typ := p.Type
	if typ == "string" || strings.HasPrefix(typ, "link<") || typ == "QemuUUID" {
		typ = "str"
	}
	if refusal, known := m.catalog().rel.RefuseValue(p.Name, typ, value); known && refusal != "" {
		return generic("%s", refusal)
	}
	return generic("Parameter '%s' expects %s", p.Name, r.Must)
}

// refuseText returns the error of older QEMUs for a text.
func (m *Machine) refuseText(p devices.Prop, text string, r *rules.Refusal) error {
	must := r.Must
	switch {
	case p.Kind == devices.KindBlockSize && r.Why == rules.OutOfRange:
		return generic("Property .%s doesn't take value %s (minimum: 512, maximum: 2097152)", p.Name, text)
	case r.Why == rules.BadValue: // of an enum
		if m.since("7.2") {
			return generic("Parameter '%s' does not accept value '%s'", p.Name, text)
		}
		return generic("Invalid parameter '%s'", text)
	case p.Type == "size" && m.since("6.0"):
		must = "size"
	case p.Type == "size":
		must = "a non-negative number below 2^64"
	case p.Type == "bool", r.Why == rules.OutOfRange:
	case m.since("6.0"):
		must = "integer"
	default:
		must = "int64"
	}
	return generic("Parameter '%s' expects %s", p.Name, must)
}

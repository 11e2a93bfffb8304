package rules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/qemu"
)

// accepted has what device_add of a release did with values of properties, of one property of each
// kind.
type accepted struct {
	Release    string
	Values     []string
	Properties []struct {
		Device, Property, Type string
		Accepted               []string
	}
}

func readAccepted(t *testing.T, release string) accepted {
	t.Helper()
	var a accepted
	require.NoError(t, json.Unmarshal([]byte(corpus.Read(t, "devices", release, "accepted.json")), &a))
	require.Equal(t, release, a.Release)
	return a
}

// there lists the things that existed in the QEMU that was asked.
var there = map[string]string{
	"rng0": "link<rng-backend>", "/objects/rng0": "link<rng-backend>", "io0": "link<iothread>", "mem0": "link<memory-backend>",
	"n0": "netdev", "disk0": "drive", "c0": "chardev", "au0": "audiodev",
}

func exists(p devices.Prop, name string) bool {
	// The elements of lists of names are not checked.
	return there[name] == string(p.Kind) && p.Kind != "" || there[name] == p.Type
}

// everyDevice has the properties that all devices have but QEMU does not list.
var everyDevice = []devices.Prop{
	{Name: "hotplugged", Type: "bool", ReadOnly: true}, {Name: "parent_bus", Type: "link<bus>", ReadOnly: true},
	{Name: "type", Type: "string", ReadOnly: true},
}

// unpredicted are the outcomes that the rules do not predict, by device and property.
var unpredicted = map[string]struct{ values, reason string }{
	"7.2 e1000 id":                     {"all", "it is not a property: the machine looks at it"},
	"7.2 e1000 realized":               {"all", "true ends QEMU; users of this module are kept from it"},
	"7.2 rocker len-ports":             {"all", "it is not listed; large numbers make QEMU hang"},
	"7.2 vhost-user-input-pci chardev": {`""`, "a property of its own, which takes no empty name; later it became one of the common kind"},
	"11.1 e1000 id":                    {"all", "it is not a property: the machine looks at it"},
	"11.1 e1000 bus":                   {"all", "it is not a property: the machine looks at it"},
	"11.1 e1000 realized":              {"all", "true ends QEMU; users of this module are kept from it"},
	"11.1 rocker ports":                {`["a"] ["1"] ["0xfee00000:0xfeefffff:1"]`, "each element is the name of a netdev, and none of these is there"},
}

func fitsSchema(t *testing.T, release string) func(typ string, value []byte) (string, bool) {
	s, err := qemu.Load(release, qemu.QMP)
	require.NoError(t, err)
	return func(typ string, value []byte) (string, bool) {
		switch def := s.Lookup(strings.TrimSuffix(typ, "List")).(type) {
		case *schema.Enum:
			var name string
			if json.Unmarshal(value, &name) != nil || def.Value(name) == nil {
				return "one of " + def.Name, true
			}
			return "", true
		case *schema.Struct:
			return fitsMembers(value, strings.HasSuffix(typ, "List"), def.AllMembers()), true
		case *schema.Union:
			return fitsMembers(value, false, def.Base.AllMembers()), true
		}
		return "", false
	}
}

// fitsMembers looks only at the names of members.
func fitsMembers(value []byte, list bool, members []*schema.Member) string {
	var objects []map[string]any
	if !list {
		value = slices.Concat([]byte("["), value, []byte("]"))
	}
	if json.Unmarshal(value, &objects) != nil {
		return "objects"
	}
	for _, o := range objects {
		for _, m := range members {
			if _, has := o[m.Name]; !has && !m.Optional {
				return "an object with " + m.Name
			}
		}
		for name := range o {
			if name != "path" && !slices.ContainsFunc(members, func(m *schema.Member) bool { return m.Name == name }) {
				return "an object without " + name
			}
		}
	}
	return ""
}

// TestAccepted checks that the rules predict what QEMU accepts: each of some 50 properties, with
// each of 70 values.
func TestAccepted(t *testing.T) {
	used := map[string]bool{}
	for _, release := range []string{"7.2", "11.1"} {
		a := readAccepted(t, release)
		l, err := qemu.Devices(release)
		require.NoError(t, err)
		r := Of(release)
		r.Fits, r.Exists = fitsSchema(t, release), exists
		right, all := 0, 0
		for _, c := range a.Properties {
			typ := l.Type(c.Device)
			require.NotNil(t, typ, c.Device)
			props := append(l.PropsOn(typ, "x86_64"), everyDevice...)
			for _, value := range a.Values {
				all++
				want := slices.Contains(c.Accepted, value)
				if got := predict(r, release, typ, props, c.Property, value); got == want {
					right++
					continue
				}
				row := fmt.Sprintf("%s %s %s", release, c.Device, c.Property)
				used[row] = true
				except := unpredicted[row].values
				assert.True(t, except == "all" || slices.Contains(strings.Fields(except), value), "%s (%s) %s: QEMU takes it: %v", row, c.Type, value, want)
			}
		}
		t.Logf("%s: %d of %d are as predicted", release, right, all)
	}
	for row := range unpredicted {
		assert.True(t, used[row], "unpredicted: %s is predicted", row)
	}
}

// predict returns whether device_add continues after it has read the value.
func predict(r Rules, release string, typ *devices.Type, props []devices.Prop, name, value string) bool {
	if !Hotplugs(typ.Name) || !BusHotplugs(typ.Bus, release) {
		return false
	}
	at := slices.IndexFunc(props, func(p devices.Prop) bool { return p.Name == name })
	if at < 0 {
		return r.Lenient && strings.ContainsAny(value[:1], "n[{")
	}
	_, _, refusal := r.Take(props[at], []byte(value))
	return refusal == nil
}

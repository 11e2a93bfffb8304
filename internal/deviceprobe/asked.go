// Package deviceprobe asks QEMU binaries which devices they have, and makes facts of what
// they say: package schema/devices has them.
package deviceprobe

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/schema/devices"
)

// A binary is what a QEMU binary says about itself and its devices.
type binary struct {
	Version string  `json:"version"` // such as "11.1.3"
	Target  string  `json:"target"`  // such as "x86_64"
	Devices []asked `json:"-"`
}

// An asked is a device as QEMU describes it.
type asked struct {
	Name     string     `json:"name"`
	Parents  []string   `json:"parents"` // the nearest is first, the last is "object"
	Bus      string     `json:"bus"`
	Alias    string     `json:"alias"`
	Category string     `json:"category"`
	NoUser   bool       `json:"no-user"`
	Props    []property `json:"props"`
	// Crash says how QEMU ended when it was asked for the properties.
	Crash string `json:"crash"`
}

// A property is one as QEMU describes it. The description is QEMU's text, so it is not kept.
type property struct {
	Name        string          `json:"name"`
	Type        string          `json:"type"`
	Description string          `json:"description"`
	Default     json.RawMessage `json:"default-value"`
}

func (a *asked) isCPU() bool { return slices.Contains(a.Parents, "cpu") }

// propsCount reports whether users can set the properties: those of a device that they can create,
// or of a CPU model, with -cpu.
func (a *asked) propsCount() bool { return !a.NoUser || a.isCPU() }

// A Report says what was asked, and what was left out.
type Report struct {
	Target, Version     string
	Devices, Properties int
	LeftOut             []LeftOut
}

// A LeftOut is a device whose properties are not known.
type LeftOut struct {
	Device string
	Reason string // in QEMU's words or the system's
}

// list makes facts of what a binary said.
func (b *binary) list() (*devices.List, Report, error) {
	report := Report{Target: b.Target, Version: b.Version, Devices: len(b.Devices)}
	flat := &devices.List{Release: versions.Release(b.Version), Binaries: []devices.Binary{{Target: b.Target, Version: b.Version}}}
	cpu := b.cpuProps()
	known := map[string]bool{}
	for i := range b.Devices {
		known[b.Devices[i].Name] = true
	}
	for i := range b.Devices {
		a := &b.Devices[i]
		t := a.typ()
		if a.isCPU() {
			t.Props = cpu
		}
		if a.Crash != "" {
			t.Unasked = []string{b.Target}
			report.LeftOut = append(report.LeftOut, LeftOut{a.Name, printable.String(a.Crash)})
		}
		report.Properties += len(a.Props)
		flat.Types = append(flat.Types, t)
		flat.Types = append(flat.Types, a.ancestors(known)...)
	}
	list, err := devices.Join(flat)
	if err != nil {
		return nil, report, fmt.Errorf("the devices of QEMU %s for %s: %w", b.Version, b.Target, err)
	}
	return list, report, nil
}

// cpuProps returns the properties of a CPU. All models of a target have the same ones, of which there
// are hundreds, so only one model of each target is asked.
func (b *binary) cpuProps() []devices.Prop {
	for i := range b.Devices {
		if a := &b.Devices[i]; a.isCPU() && len(a.Props) > 0 {
			return a.typ().Props
		}
	}
	return nil
}

// typ returns the device as a type, with all its properties.
func (a *asked) typ() *devices.Type {
	t := &devices.Type{Name: a.Name, Bus: a.Bus, Alias: a.Alias, NoUser: a.NoUser}
	if !a.NoUser {
		t.Category = a.Category
	}
	if len(a.Parents) > 0 && a.Parents[0] != object {
		t.Parent = a.Parents[0]
	}
	for _, p := range a.Props {
		if a.propsCount() && !p.isPart() {
			t.Props = append(t.Props, p.fact(a))
		}
	}
	slices.SortFunc(t.Props, func(a, b devices.Prop) int { return strings.Compare(a.Name, b.Name) })
	return t
}

// object is the root of QEMU's object model, above "device".
const object = "object"

// ancestors returns the abstract types above a device that are not known yet.
func (a *asked) ancestors(known map[string]bool) []*devices.Type {
	var types []*devices.Type
	for i, name := range a.Parents {
		if known[name] || name == object {
			continue
		}
		known[name] = true
		t := &devices.Type{Name: name, Abstract: true}
		if i+1 < len(a.Parents) && a.Parents[i+1] != object {
			t.Parent = a.Parents[i+1]
		}
		types = append(types, t)
	}
	return types
}

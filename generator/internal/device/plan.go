// Package device plans Go types for devices: a struct for each, with the properties that any
// release has. Package plan does the same for a QAPI schema.
package device

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/generator/internal/names"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// Options are what a user can choose.
type Options struct {
	Package string // the name of the package
	Path    string // its import path; empty if not known
	// All includes all devices that users can create, and not only the curated ones.
	All bool
	// Complete makes it an error if a curated device is missing.
	Complete bool
	// Devices and Properties are our own descriptions, by the names in QEMU.
	Devices, Properties descriptions.Descriptions
}

// A Package is the plan of a package of devices.
type Package struct {
	Name, Path string
	Source     string // the source of the facts, for the first line of the files
	Files      []*File
}

// A File is one Go file.
type File struct {
	Name    string // such as storage_gen.go
	What    string // what kind of devices it has
	Devices []*Device
}

// A Device is a struct.
type Device struct {
	QEMU, Name string
	Alias      string // another name that QEMU accepts
	Bus        string // the type of the bus that it is plugged into; empty if there is none
	Text       string // our description: it completes a sentence that begins with Name
	Where      string // the releases and targets that have it; empty if all have
	Gone       string // which releases no longer have it
	Fields     []*Field
}

// A Field is a property.
type Field struct {
	QEMU, Name  string
	Type        Type
	Text        string // our description
	Where, Gone string // as in Device
}

// Build plans a package from lists of devices, the oldest release first. qapi is the schema
// that has the enums of their properties.
func Build(lists []*devices.List, qapi *schema.Schema, opts Options) (*Package, error) {
	if len(lists) == 0 {
		return nil, errors.New("there is no list of devices")
	}
	b := &builder{lists: lists, qapi: qapi, opts: opts, taken: map[string]string{}}
	b.axes, b.all = axesOf(lists)
	for _, name := range reserved {
		b.taken[strings.ToLower(name)] = "a part of the package"
	}
	b.link()
	p := &Package{Name: opts.Package, Path: opts.Path, Source: source(b.axes.releases)}
	for _, g := range b.groups() {
		file := &File{Name: g.file + "_gen.go", What: g.what}
		for _, name := range g.names {
			if m := merge(lists, name); m != nil {
				file.Devices = append(file.Devices, b.device(m))
			} else if opts.Complete {
				b.errorf("%s: no release has a device of that name that users can create", name)
			}
		}
		if len(file.Devices) > 0 {
			p.Files = append(p.Files, file)
		}
	}
	return p, errors.Join(b.errs...)
}

// source returns which releases the devices come from.
func source(releases []string) string {
	return "the devices of QEMU " + list(releases)
}

type builder struct {
	lists []*devices.List
	qapi  *schema.Schema
	opts  Options
	axes  axes
	all   places
	taken map[string]string // what has a name, by the name in lower case
	errs  []error
}

func (b *builder) errorf(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf(format, args...))
}

// reserved lists the names that the hand-written part of the package uses.
var reserved = []string{
	"PCIAddr", "ParsePCIAddr", "Slot", "SlotFunction", "Check", "Read", "PropertyError",
	"X86CPU", "ARMCPU", "S390XCPU",
}

// groups returns the devices by file.
func (b *builder) groups() []group {
	if !b.opts.All {
		return curated
	}
	files := map[string]string{}
	for _, g := range curated {
		for _, name := range g.names {
			files[name] = g.file
		}
	}
	groups := slices.Clone(curated)
	rest := group{file: "other", what: "all others"}
	for _, name := range b.allNames() {
		if files[name] == "" && !isCPU(name) {
			rest.names = append(rest.names, name)
		}
	}
	return append(groups, rest)
}

// allNames returns the names of all devices that users can create in any release, in order.
func (b *builder) allNames() []string {
	var all []string
	for _, l := range b.lists {
		for _, t := range l.Types {
			if t.User() {
				all = append(all, t.Name)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// isCPU reports whether a type is a processor model. All models of a target share one struct.
func isCPU(name string) bool { return strings.HasSuffix(name, "-cpu") }

// device plans the struct of a device.
func (b *builder) device(m *merged) *Device {
	t := m.newest
	d := &Device{QEMU: t.Name, Name: goName(t.Name), Alias: t.Alias, Bus: t.Bus}
	d.Where, d.Gone = b.axes.describe(m.in, b.all)
	if by := b.taken[strings.ToLower(d.Name)]; by != "" {
		b.errorf("%s becomes %s in Go, and so does %s", d.QEMU, d.Name, by)
	}
	b.taken[strings.ToLower(d.Name)] = d.QEMU
	said := b.opts.Devices[t.Name]
	if said == nil {
		said = &descriptions.Description{}
	}
	d.Text = said.Text
	d.Fields = b.fields(m, said)
	return d
}

// goName returns the Go name of a device or a property. Between digits a dash becomes an
// underscore, so that e1000-82544gc does not become E100082544gc. A comma also separates words:
// xlnx,efuse.
func goName(name string) string {
	name = strings.ReplaceAll(name, ",", "-")
	return names.Exported(betweenDigits.ReplaceAllString(name, "${1}_${2}"))
}

var betweenDigits = regexp.MustCompile(`(\d)-(\d)`)

// noBus lists the types of buses of which a machine has only one: the field Bus is left out for them.
var noBus = []string{"", "System"}

// fields plans the fields of a device: id and bus first.
func (b *builder) fields(m *merged, said *descriptions.Description) []*Field {
	taken := map[string]string{}
	for _, name := range others {
		taken[strings.ToLower(name)] = "a part of every device"
	}
	take := func(f *Field) *Field {
		if by := taken[strings.ToLower(f.Name)]; by != "" {
			b.errorf("%s: property %s becomes %s in Go, and so does %s", m.newest.Name, f.QEMU, f.Name, by)
		}
		taken[strings.ToLower(f.Name)] = "property " + f.QEMU
		return f
	}
	fields := []*Field{take(&Field{QEMU: "id", Name: "ID", Type: plain["str"]})}
	if !slices.Contains(noBus, m.newest.Bus) {
		fields = append(fields, take(&Field{QEMU: "bus", Name: "Bus", Type: plain["str"]}))
	}
	for _, p := range m.props {
		if useless[p.Name] != "" {
			continue
		}
		t, err := b.typeOf(p)
		if err != nil {
			b.errorf("%s: %w", m.newest.Name, err)
		}
		f := take(&Field{QEMU: p.Name, Name: goName(p.Name), Type: t})
		f.Where, f.Gone = b.axes.describe(p.in, m.in)
		fields = append(fields, f)
	}
	for _, f := range fields {
		f.Text = cmp.Or(said.Members[f.QEMU], b.property(f.QEMU, m.newest.Name))
	}
	return fields
}

// property returns our description of a property: the one for this device, otherwise the one for
// any device.
func (b *builder) property(name, device string) string {
	d := b.opts.Properties[name]
	if d == nil {
		return ""
	}
	return cmp.Or(d.Members[device], d.Text)
}

// useless lists, with the reason, properties that cannot be set although QEMU does not list
// them as read-only.
var useless = map[string]string{
	"reserved-regions": "QEMU 10.0 and 11.1 refuse every list, and older ones have no lists",
	"attached":         "USB devices report that it is not writable",
}

// others has the names that each struct has in addition to its properties.
var others = []string{"Props", "DeviceDriver"}

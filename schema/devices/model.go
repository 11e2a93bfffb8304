// Package devices has facts that QEMU releases report about their devices: names, parents, buses,
// properties, types, defaults. QEMU's own text is not in it.
//
// A release's facts are a [List], written as text by [List.Format] and read by [Parse]. A
// property that all types below a parent have in the same form is stored only with the parent, as
// in QEMU's own object model; [List.Props] returns all properties of a type.
package devices

import (
	"iter"
	"slices"
	"sync"
)

// A List has the facts that the binaries of one release report about their devices.
type List struct {
	Release  string   // such as "11.1"
	Binaries []Binary // in the order in which targets are listed everywhere
	Types    []*Type  // a parent is before its children, and siblings are in the order of their names

	once   sync.Once
	byName map[string]*Type
}

// A Binary is a program of QEMU's that was asked.
type Binary struct {
	Target  string // such as "x86_64"
	Version string // such as "11.1.3"
}

// A Type is a type of devices, or a parent of such types.
type Type struct {
	Name string
	// Parent is the nearest parent in QEMU's object model; it is empty for "device" only.
	Parent string
	// Abstract is set if the type is only a parent; there are no devices of it.
	Abstract bool
	// NoUser is set if the type is a device, but users cannot create it: it is a part of a machine.
	NoUser bool
	// Bus is the type of the bus that the device is plugged into, such as "PCI"; some have none.
	// Bus and Category of an abstract type are those of most of its children.
	Bus string
	// Alias is another name that device_add accepts, such as "virtio-blk". AliasTargets are the
	// targets on which it does; nil means all that have the type.
	Alias        string
	AliasTargets []string
	// Category is the group that QEMU lists the type in, such as "Storage".
	Category string
	// Targets are the targets that have the type; nil means all of the list.
	Targets []string
	// Unasked are the targets for which the properties are not known, since QEMU ended when it was
	// asked for them. On these targets the type has only the properties of its parents.
	Unasked []string
	// Props are the type's own properties, in the order of their names. Those of its parents
	// are not repeated, unless they differ.
	Props []Prop
}

// User reports whether a user can create the device: with device_add, -device, or both.
func (t *Type) User() bool { return !t.Abstract && !t.NoUser }

// A Prop is a property of a type.
type Prop struct {
	Name string
	Type string // as QEMU prints it, such as "uint32", "str", "OnOffAuto" or "link<iothread>"
	// Kind says what a value must be, if the type does not say enough.
	Kind Kind
	// Default is the default of the type as JSON, or empty if none is known. Machine types may
	// have another one, and -1 or the greatest value often means that the device decides.
	Default  string
	ReadOnly bool
	// Absent is set if the type lacks a property that its parent has. [List.Props] leaves it out.
	Absent bool
	// Targets are the targets on which the type has the property in this form; nil means all
	// that have the type.
	Targets []string
}

// A Kind says more about the values of a property than its type does.
type Kind string

// The kinds.
const (
	KindNone       Kind = ""            // the type says everything
	KindDrive      Kind = "drive"       // str: the name of a block node or a drive; "" is none
	KindNetdev     Kind = "netdev"      // str: the id of a netdev
	KindChardev    Kind = "chardev"     // str: the id of a chardev; "" is none
	KindAudiodev   Kind = "audiodev"    // str: the id of an audiodev
	KindTPMDev     Kind = "tpmdev"      // str: the id of a tpmdev
	KindMAC        Kind = "mac"         // str: a MAC address, such as 52:54:00:12:34:56
	KindUUID       Kind = "uuid"        // str: a UUID, or "auto" where that is the default
	KindNGUID      Kind = "nguid"       // str: 32 hexadecimal digits, or "auto"
	KindPCIAddr    Kind = "pci-address" // str or int32: slot and function on the bus, such as "05.0"; -1: any
	KindHostPCI    Kind = "host-pci"    // str: the PCI address of a device of the host, such as "0000:01:00.0"
	KindCSSID      Kind = "css-id"      // str: the id of a channel subsystem device, such as "fe.0.0001"
	KindBlockSize  Kind = "block-size"  // size or smaller: 0, or a power of 2 from 512 to a limit
	KindUint4      Kind = "uint4"       // uint8: 0 to 15
	KindXenDisk    Kind = "xen-disk"    // str: a disk as Xen names it, such as xvda
	KindStringList Kind = "strings"     // list: its elements are strings
	KindUint32List Kind = "uint32s"     // list: its elements are of type uint32
)

// kinds are all kinds but KindNone.
var kinds = []Kind{
	KindDrive, KindNetdev, KindChardev, KindAudiodev, KindTPMDev, KindMAC, KindUUID, KindNGUID, KindPCIAddr, KindHostPCI,
	KindCSSID, KindBlockSize, KindUint4, KindXenDisk, KindStringList, KindUint32List,
}

// Type returns the type of that name, or nil. It does not look at aliases.
func (l *List) Type(name string) *Type {
	l.once.Do(func() {
		l.byName = make(map[string]*Type, len(l.Types))
		for _, t := range l.Types {
			l.byName[t.Name] = t
		}
	})
	return l.byName[name]
}

// Find returns the type that device_add on a target accepts under this name, which may be an alias;
// nil if there is none.
func (l *List) Find(name, target string) *Type {
	if t := l.Type(name); t != nil && slices.Contains(l.TargetsOf(t), target) {
		return t
	}
	for _, t := range l.Types {
		if t.Alias == name && name != "" && slices.Contains(l.TargetsOf(t), target) &&
			(t.AliasTargets == nil || slices.Contains(t.AliasTargets, target)) {
			return t
		}
	}
	return nil
}

// Targets returns the names of all targets of the list.
func (l *List) Targets() []string {
	var names []string
	for _, b := range l.Binaries {
		names = append(names, b.Target)
	}
	return names
}

// TargetsOf returns the names of the targets that have a type.
func (l *List) TargetsOf(t *Type) []string { return l.expand(t.Targets) }

// expand returns targets, or all targets of the list for nil.
func (l *List) expand(targets []string) []string {
	if targets == nil {
		return l.Targets()
	}
	return targets
}

// Ancestry returns a type and its parents, nearest first.
func (l *List) Ancestry(t *Type) iter.Seq[*Type] {
	return func(yield func(*Type) bool) {
		for n := 0; t != nil && n <= len(l.Types); n++ { // a list that was not checked may have a cycle
			if !yield(t) {
				return
			}
			t = l.Type(t.Parent)
		}
	}
}

// Props returns all properties of a type, its own and those of its parents, in the order of
// their names. A property that differs between targets is listed once for each form; its
// Targets are nil if the form is the same on all targets of the type.
func (l *List) Props(t *Type) []Prop {
	targets := l.TargetsOf(t)
	left := map[string][]string{} // by name: the targets for which the form is not known yet
	var all []Prop
	for a := range l.Ancestry(t) {
		for _, p := range a.Props {
			open, seen := left[p.Name]
			if !seen {
				open = targets
			}
			on, rest := split(open, p.Targets)
			left[p.Name] = rest
			if len(on) == 0 || p.Absent {
				continue
			}
			if p.Targets = on; len(on) == len(targets) {
				p.Targets = nil
			}
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, compareProps)
	return all
}

// PropsOn returns all properties that a type has on a target, in the order of their names. Their
// Targets are nil.
func (l *List) PropsOn(t *Type, target string) []Prop {
	var on []Prop
	for _, p := range l.Props(t) {
		if p.Targets == nil || slices.Contains(p.Targets, target) {
			p.Targets = nil
			on = append(on, p)
		}
	}
	return on
}

// split returns the names that are in which, and those that are not. A nil which has all names.
func split(names, which []string) (in, out []string) {
	if which == nil {
		return names, nil
	}
	for _, name := range names {
		if slices.Contains(which, name) {
			in = append(in, name)
		} else {
			out = append(out, name)
		}
	}
	return in, out
}

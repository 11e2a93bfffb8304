package device

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/generator/internal/names"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// A Type is a Go type.
type Type struct {
	Name    string
	Package string // the import path of its package; empty for Go's built-in types
	List    bool
	Pointer bool
}

// The packages that have types of properties.
const (
	pkgQAPI   = "github.com/goqapi/goqapi/qapi"
	pkgDevice = "github.com/goqapi/goqapi/qapi/device"
)

// plain has, by the name in QEMU, types that are built into Go. Booleans and numbers are pointers, since false and
// 0 mean something; text is absent when it is empty.
var plain = map[string]Type{
	"bool":   {Name: "bool", Pointer: true},
	"uint4":  {Name: "uint8", Pointer: true},
	"uint8":  {Name: "uint8", Pointer: true},
	"uint16": {Name: "uint16", Pointer: true},
	"uint32": {Name: "uint32", Pointer: true},
	"uint64": {Name: "uint64", Pointer: true},
	"size":   {Name: "uint64", Pointer: true},
	"size32": {Name: "uint32", Pointer: true},
	"int8":   {Name: "int8", Pointer: true},
	"int16":  {Name: "int16", Pointer: true},
	"int32":  {Name: "int32", Pointer: true},
	"int64":  {Name: "int64", Pointer: true},
	"int":    {Name: "int64", Pointer: true},
	"str":    {Name: "string"},
	"string": {Name: "string"},
	// What QEMU 5.2 calls a number.
	"zpci_fid": {Name: "uint32", Pointer: true},
	// An enum that is not in QAPI.
	"SpdmTransportType": {Name: "string"},
	"QemuUUID":          {Name: "string"},
}

// renamed are the newer names of enums.
var renamed = map[string]string{"FdcDriveType": "FloppyDriveType"}

// kinds has the Go types for kinds of properties that need a more exact type than QEMU has.
var kinds = map[devices.Kind]Type{
	devices.KindPCIAddr:    {Name: "PCIAddr", Package: pkgDevice},
	devices.KindStringList: {Name: "string", List: true},
	devices.KindUint32List: {Name: "uint32", List: true},
}

// emptyMeans lists the text properties for which an empty text is not the same as no value.
var emptyMeans = []string{
	"romfile", // empty: no option ROM; no value: the device's own
}

// typeOf returns the Go type of a property.
func (b *builder) typeOf(p *prop) (Type, error) {
	if slices.Contains(emptyMeans, p.Name) {
		return Type{Name: "string", Pointer: true}, nil
	}
	if t, ok := kinds[p.Kind]; ok {
		return t, nil
	}
	if t, ok := plain[p.Type]; ok {
		return t, nil
	}
	if strings.HasPrefix(p.Type, "link<") {
		return Type{Name: "string"}, nil
	}
	element, isList := strings.CutSuffix(cmp.Or(renamed[p.Type], p.Type), "List")
	switch b.qapi.Lookup(element).(type) {
	case *schema.Enum:
		return Type{Name: names.Exported(element), Package: pkgQAPI, List: isList}, nil
	case *schema.Struct, *schema.Union:
		return Type{Name: names.Exported(element), Package: pkgQAPI, List: isList, Pointer: !isList}, nil
	}
	return Type{}, fmt.Errorf("property %s has the type %s, for which no Go type is known", p.Name, p.Type)
}

// unsettable are types of properties that users do not set: they show a part of a device, or
// connect parts of a machine.
var unsettable = []string{
	"child<", "busnr", "struct tm", "guest statistics", "strList", "link<irq>", "link<clock>",
	"link<memory-region>", "link<qemu:memory-region>", "GuestPanicInformation", "X86CPUFeatureWordInfo",
}

// settable reports whether a property is for users: they can set it, and it is not experimental,
// which means that QEMU may change it at any time.
func settable(p devices.Prop) bool {
	return !p.ReadOnly && !strings.HasPrefix(p.Name, "x-") && !isOldArray(p.Name) &&
		!slices.ContainsFunc(unsettable, func(t string) bool { return strings.HasPrefix(p.Type, t) })
}

// isOldArray reports whether a property is that of an array before QEMU 10.0: its length, or an
// element. These cannot be given as JSON, and a large length makes QEMU hang.
func isOldArray(name string) bool {
	return strings.HasPrefix(name, "len-") || strings.ContainsRune(name, '[')
}

// first are the properties that most users of a device set; they come before its others.
var first = []string{
	"drive", "netdev", "chardev", "audiodev", "memdev", "rng", "fsdev", "tpmdev", "cryptodev", "evdev",
	"host", "mac", "serial", "wwn", "bootindex", "iothread",
}

// compareProps orders the properties of a device: first its own, then those of its family, then
// those of the bus.
func compareProps(a, b *prop) int {
	rank := func(p *prop) int {
		if i := slices.Index(first, p.Name); i >= 0 && p.generation == 0 {
			return i
		}
		return len(first)
	}
	return cmp.Or(cmp.Compare(a.generation, b.generation), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Name, b.Name))
}

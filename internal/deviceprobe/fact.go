package deviceprobe

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/schema/devices"
)

// isPart reports whether a property stands for a part of the device, or for a wire between
// parts. Users cannot set it.
func (p *property) isPart() bool {
	return strings.HasPrefix(p.Type, "child<") || p.Type == "link<irq>"
}

// fact returns what is kept of a property of a device.
func (p *property) fact(a *asked) devices.Prop {
	return devices.Prop{Name: p.Name, Type: p.Type, Kind: p.kind(), Default: p.harmlessDefault(), ReadOnly: p.readOnly(a)}
}

// A sign shows the kind of a property: the property has this type, and its description begins like this. Most
// beginnings come from QEMU's own constructors of properties, and are the same in all releases.
type sign struct {
	typ, begin string
	kind       devices.Kind
}

var signs = []sign{
	{"str", "Node name or ID of a block device", devices.KindDrive},
	{"str", "ID of a netdev", devices.KindNetdev},
	{"str", "ID of a chardev", devices.KindChardev},
	{"str", "ID of an audiodev", devices.KindAudiodev},
	{"str", "ID of a tpm", devices.KindTPMDev},
	{"str", "Ethernet 6-byte MAC", devices.KindMAC},
	{"str", "UUID", devices.KindUUID},
	{"str", "Specify UUID", devices.KindUUID},
	{"QemuUUID", "", devices.KindUUID},
	{"str", "NGUID", devices.KindNGUID},
	{"str", "Slot and optional function", devices.KindPCIAddr},
	{"int32", "Slot and optional function", devices.KindPCIAddr},
	{"str", "Host PCI address", devices.KindHostPCI},
	{"str", "Address (bus/device/function) of the host", devices.KindHostPCI}, // 5.2, 7.2
	{"str", "Identifier of an I/O device in the channel", devices.KindCSSID},
	{"str", "Read-only identifier of an I/O device in the channel", devices.KindCSSID},
	{"str", "Virtual Disk specifier", devices.KindXenDisk},
	{"size", "A power of two between", devices.KindBlockSize},
	{"uint4", "", devices.KindUint4},
	{"uint8", "Add NVIDIA GPUDirect capability", devices.KindUint4},
}

// lists are the properties of type list whose elements' type is known: QEMU does not say it.
var lists = map[string]devices.Kind{
	"ebpf-rss-fds":     devices.KindStringList,
	"ports":            devices.KindStringList,
	"reserved-regions": devices.KindStringList,
	"stats-intervals":  devices.KindUint32List,
}

func (p *property) kind() devices.Kind {
	if p.Type == "list" {
		return lists[p.Name]
	}
	if p.Type == "string" && p.Name == "chardev" { // of vhost-user devices, which look it up themselves
		return devices.KindChardev
	}
	for _, s := range signs {
		if p.Type == s.typ && strings.HasPrefix(p.Description, s.begin) {
			return s.kind
		}
	}
	return devices.KindNone
}

// readOnlyTypes are the types of properties that cannot be set.
var readOnlyTypes = []string{
	"busnr", "guest statistics", "struct tm", "strList", "X86CPUFeatureWordInfo", "GuestPanicInformation",
}

// sizeGiven are the devices whose size is that of their backend.
var sizeGiven = []string{"pc-dimm", "nvdimm", "virtio-mem", "virtio-mem-pci", "virtio-mem-ccw"}

// attachable are the USB devices that need not be attached to their bus from the start.
var attachable = []string{"usb-bot", "usb-uas"}

// readOnly reports whether a property cannot be set. For most such properties the type or the
// description shows it. The others were found by an attempt to set each property of QEMU 11.1.
func (p *property) readOnly(a *asked) bool {
	switch p.Name {
	case "size":
		return slices.Contains(sizeGiven, a.Name)
	case "attached":
		return a.Bus == "usb-bus" && !slices.Contains(attachable, a.Name)
	}
	return slices.Contains(readOnlyTypes, p.Type) || strings.HasPrefix(p.Description, "Read-only")
}

// word matches the strings that are allowed as a default.
var word = regexp.MustCompile(`^"[A-Za-z0-9_-]{0,16}"$`)

// harmlessDefault returns the default as JSON if it is a fact: a bool, a number, a word such as "auto", or
// an empty list. A longer text could be one that somebody wrote.
func (p *property) harmlessDefault() string {
	var compact bytes.Buffer
	if len(p.Default) == 0 || json.Compact(&compact, p.Default) != nil {
		return ""
	}
	text := compact.String()
	switch {
	case text[0] == '"' && !word.MatchString(text), text[0] == '{', text[0] == '[' && text != "[]", text == "null":
		return ""
	}
	return text
}

package rules

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/schema/devices"
)

// forms has the patterns of the texts of some kinds.
var forms = map[devices.Kind]struct {
	pattern *regexp.Regexp
	must    string
}{
	devices.KindMAC:     {regexp.MustCompile(`(?i)^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$`), "a MAC address"},
	devices.KindUUID:    {regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`), "a UUID"},
	devices.KindNGUID:   {regexp.MustCompile(`(?i)^([0-9a-f]{2}-?){15}[0-9a-f]{2}$`), "32 hexadecimal digits"},
	devices.KindHostPCI: {regexp.MustCompile(`(?i)^([0-9a-f]{1,4}:)?[0-9a-f]{1,2}:[0-1]?[0-9a-f]\.[0-7]$`), "the PCI address of a device of the host"},
	devices.KindCSSID:   {regexp.MustCompile(`(?i)^[0-9a-f]{1,2}\.[0-3]\.[0-9a-f]{1,4}$`), "an id in the channel subsystem"},
	devices.KindXenDisk: {regexp.MustCompile(`^(d\d+(p\d+)?|(xvd|hd|sd)[a-z]+\d*)$`), "a disk as Xen names it"},
}

// text reads a text of a kind.
func (r Rules) text(p devices.Prop, s string) (any, *Refusal) {
	switch p.Kind {
	case devices.KindPCIAddr:
		return pciText(s)
	case devices.KindUUID, devices.KindNGUID:
		if s == "auto" && p.Type == "str" { // QEMU generates one
			return s, nil
		}
	}
	if form, ok := forms[p.Kind]; ok && !form.pattern.MatchString(s) {
		return nil, &Refusal{BadValue, form.must}
	}
	if !Names(p) || s == "" && mayBeNone(p) {
		return s, nil
	}
	if r.Exists != nil && !r.Exists(p, s) {
		return nil, &Refusal{NoSuch, ""}
	}
	return s, nil
}

// Names reports whether a property names something that must exist: a drive, another backend, or an
// object.
func Names(p devices.Prop) bool {
	switch p.Kind {
	case devices.KindDrive, devices.KindNetdev, devices.KindChardev, devices.KindAudiodev, devices.KindTPMDev:
		return true
	}
	return strings.HasPrefix(p.Type, "link<")
}

// mayBeNone reports whether "" is allowed, and names nothing.
func mayBeNone(p devices.Prop) bool {
	return p.Kind == devices.KindDrive || p.Kind == devices.KindChardev || strings.HasPrefix(p.Type, "link<")
}

var pciAddress = regexp.MustCompile(`(?i)^(?:0x)?([0-9a-f]+)(?:\.(?:0x)?([0-9a-f]+))?$`)

// pciText reads a PCI address as a text: slot and function in hexadecimal digits. Its value is a number, as
// QEMU returns it.
func pciText(s string) (any, *Refusal) {
	m := pciAddress.FindStringSubmatch(s)
	if m == nil {
		return nil, &Refusal{BadValue, "a PCI address"}
	}
	slot, err := strconv.ParseUint(m[1], 16, 5)
	if err != nil {
		return nil, &Refusal{BadValue, "a PCI address"}
	}
	function := uint64(0)
	if m[2] != "" {
		if function, err = strconv.ParseUint(m[2], 16, 3); err != nil {
			return nil, &Refusal{BadValue, "a PCI address"}
		}
	}
	return int64(slot<<3 | function), nil
}

// list reads a list. Its kind says which type the elements have.
func list(p devices.Prop, value []byte) (any, *Refusal) {
	if value[0] != '[' {
		return nil, &Refusal{WrongKind, "an array"}
	}
	var err error
	switch p.Kind {
	case devices.KindStringList:
		var elements []string
		err = json.Unmarshal(value, &elements)
	case devices.KindUint32List:
		var elements []uint32
		err = json.Unmarshal(value, &elements)
	}
	if err != nil {
		return nil, &Refusal{WrongKind, "a list of " + string(p.Kind)}
	}
	return json.RawMessage(strings.Clone(string(value))), nil
}

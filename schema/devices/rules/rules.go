// Package rules has the rules of QEMU's device_add, for each release: which values of properties it
// accepts, and which devices can be plugged in while a machine runs.
package rules

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/schema/devices"
)

// Rules say which JSON values device_add takes for a property.
type Rules struct {
	// Lenient rules are those of releases before 9.2: each scalar is turned into text, and the text is
	// read as the property's type, so that "2" is 2 and true is "on"; null, lists and objects are
	// dropped without an error. With other rules a value must be of the JSON kind of the property.
	Lenient bool
	// Old rules are those of QEMU 5.2, which reads fewer of these texts.
	Old bool
	// Fits checks a value of a QAPI type, such as an enum or a struct: must is "" if it fits, and
	// otherwise what it must be. known is false if there is no such type; then the value is not
	// checked.
	Fits func(typ string, value []byte) (must string, known bool)
	// Exists reports whether the thing that a property names exists. The kind or the type of the
	// property says what it is, such as a block node or an object. If Exists is nil, everything exists.
	Exists func(p devices.Prop, name string) bool
}

// Of returns the rules of a release, such as "7.2".
func Of(release string) Rules {
	return Rules{Lenient: versions.Compare(release, "9.2") < 0, Old: versions.Compare(release, "6.0") < 0}
}

// A Refusal says why a value is not accepted.
type Refusal struct {
	Why  Why
	Must string // what the value must be, such as "a boolean" or "uint32_t"
}

// A Why is a kind of refusal.
type Why int

// The kinds of refusals.
const (
	WrongKind  Why = iota + 1 // the value is not of the JSON kind that the property has: Must
	OutOfRange                // the value is a number that is too large or too small: Must
	BadValue                  // the value does not have the right form, or is not a value of the enum
	NoSuch                    // nothing with that name exists
	ReadOnly                  // the property cannot be set
)

// Take returns the value that a property gets from a JSON value: a bool, an int64, a
// uint64, a string, or a json.RawMessage for lists and objects. If taken is false without
// a refusal, the value is dropped.
func (r Rules) Take(p devices.Prop, value []byte) (v any, taken bool, refusal *Refusal) {
	if r.Lenient && strings.IndexByte("n[{", value[0]) >= 0 {
		return nil, false, nil
	}
	if p.ReadOnly {
		return nil, false, &Refusal{Why: ReadOnly}
	}
	p.Type = typeOf(p)
	if r.Lenient {
		v, refusal = r.fromText(p, textOf(value))
	} else {
		v, refusal = r.fromJSON(p, value)
	}
	if refusal != nil {
		return nil, false, refusal
	}
	return v, true, nil
}

// typeOf returns the type by which a property's value is read. QEMU prints some types under other
// names, and older releases use other names for some.
func typeOf(p devices.Prop) string {
	switch p.Type {
	case "string":
		return "str"
	case "zpci_fid":
		return "uint32"
	case "uint4":
		return "uint8"
	case "FdcDriveType":
		return "FloppyDriveType"
	}
	return p.Type
}

// isText reports whether values of a type are texts.
func isText(typ string) bool {
	return typ == "str" || typ == "QemuUUID" || strings.HasPrefix(typ, "link<")
}

// A number is an integer type.
type number struct {
	bits     int
	unsigned bool
}

// numberOf returns the integer type with that name; ok is false if it is not one.
func numberOf(typ string) (n number, ok bool) {
	switch typ {
	case "int":
		return number{bits: 64}, true
	case "size":
		return number{bits: 64, unsigned: true}, true
	}
	digits, unsigned := strings.CutPrefix(typ, "uint")
	if !unsigned {
		digits, ok = strings.CutPrefix(typ, "int")
		if !ok {
			return n, false
		}
	}
	bits, err := strconv.Atoi(digits)
	return number{bits, unsigned}, err == nil && slices.Contains([]int{8, 16, 32, 64}, bits)
}

// fromJSON reads a value by the strict rules.
func (r Rules) fromJSON(p devices.Prop, value []byte) (any, *Refusal) {
	first := value[0]
	isNumber := first == '-' || first >= '0' && first <= '9'
	if first == 'n' {
		return nil, &Refusal{WrongKind, "something"}
	}
	if n, ok := numberOf(p.Type); ok {
		if !isNumber || bytes.ContainsAny(value, ".eE") {
			return nil, &Refusal{WrongKind, "an integer"}
		}
		return r.integer(p, n, string(value), 10)
	}
	switch {
	case p.Type == "bool":
		if first != 't' && first != 'f' {
			return nil, &Refusal{WrongKind, "a boolean"}
		}
		return first == 't', nil
	case p.Type == "list":
		return list(p, value)
	case p.Kind == devices.KindPCIAddr && isNumber:
		return pciNumber(string(value))
	case isText(p.Type):
		if first != '"' {
			return nil, &Refusal{WrongKind, "a string"}
		}
		return r.text(p, stringOf(value))
	}
	return r.fits(p, value)
}

// fromText reads a text by the lenient rules.
func (r Rules) fromText(p devices.Prop, s string) (any, *Refusal) {
	if p.Kind == devices.KindPCIAddr {
		return r.text(p, s)
	}
	if p.Type == "size" {
		n, ok := r.parseSize(s)
		if !ok {
			return nil, &Refusal{WrongKind, "a size"}
		}
		return inRange(p, n)
	}
	if n, ok := numberOf(p.Type); ok {
		base := 10
		if digits := strings.TrimPrefix(s, "-"); strings.HasPrefix(digits, "0x") || strings.HasPrefix(digits, "0X") {
			base = 16
		} else if len(digits) > 1 && digits[0] == '0' {
			base = 8
		}
		return r.integer(p, n, s, base)
	}
	switch {
	case p.Type == "bool":
		return r.parseBool(s)
	case isText(p.Type):
		return r.text(p, s)
	}
	quoted, err := json.Marshal(s)
	if err != nil {
		return nil, &Refusal{BadValue, "text"}
	}
	return r.fits(p, quoted)
}

// spdmTransports are the values of an enum that QAPI does not have.
var spdmTransports = []string{"doe", "nvme", "mctp", "scsi", "unspecified"}

// fits reads a value of a QAPI type.
func (r Rules) fits(p devices.Prop, value []byte) (any, *Refusal) {
	if p.Type == "SpdmTransportType" && !slices.Contains(spdmTransports, stringOf(value)) {
		return nil, &Refusal{BadValue, "one of " + strings.Join(spdmTransports, ", ")}
	}
	if r.Fits != nil {
		if must, known := r.Fits(p.Type, value); known && must != "" {
			return nil, &Refusal{BadValue, must}
		}
	}
	if value[0] == '"' {
		return stringOf(value), nil
	}
	return json.RawMessage(slices.Clone(value)), nil
}

// stringOf returns the string of a JSON value, "" if it is not a string.
func stringOf(value []byte) (s string) {
	_ = json.Unmarshal(value, &s) // it stays ""
	return s
}

// textOf returns the text into which the lenient rules turn a scalar.
func textOf(value []byte) string {
	switch value[0] {
	case 't':
		return "on"
	case 'f':
		return "off"
	case '"':
		return stringOf(value)
	}
	s := string(value)
	if f, err := strconv.ParseFloat(s, 64); err == nil && strings.ContainsAny(s, ".eE") {
		return strconv.FormatFloat(f, 'g', 17, 64)
	}
	return s
}

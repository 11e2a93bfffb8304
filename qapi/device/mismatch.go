package device

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp"
)

// mismatch returns why a server does not accept a value for a property of a type; "" if it does, or if
// that is not known. QEMU 9.2 and newer are strict. Older ones read text: 7.2 takes "on" for
// true and "0x10" for 16.
func mismatch(name, typ string, v jsontext.Value, version qmp.Version) string {
	kind, strict := v.Kind(), version.AtLeast(9, 2)
	if typ == "" {
		return ""
	}
	if !strict && (kind == '[' || kind == '{') {
		return fmt.Sprintf("cannot be %s: this server drops it without an error", wirejson.KindName(kind))
	}
	if isList(typ) {
		return wants(kind, '[')
	}
	if strings.HasPrefix(name, "len-") {
		return "is the length of an array, whose elements this server does not accept as JSON"
	}
	switch {
	case kind == '[' || kind == '{':
		if isScalar(typ) {
			return fmt.Sprintf("is %s, not %s", printable.String(typ), wirejson.KindName(kind))
		}
		return ""
	case name == "addr" && (typ == "int32" || typ == "str"):
		return mismatchAddress(v, strict)
	case typ == "bool":
		return mismatchBool(v, strict)
	case typ == "str" || typ == "string" || strings.HasPrefix(typ, "link<"):
		if strict {
			return wants(kind, '"')
		}
		return ""
	case typ == "SocketAddress":
		return wants(kind, '{')
	case typ == "OnOffAuto":
		if !slices.Contains([]string{`"on"`, `"off"`, `"auto"`}, string(v)) && (strict || mismatchBool(v, false) != "") {
			return fmt.Sprintf("is \"on\", \"off\" or \"auto\", not %s", v)
		}
		return ""
	case isEnum(typ):
		if strict {
			return wants(kind, '"')
		}
		return ""
	}
	if n, ok := numericOf(typ); ok {
		return n.mismatch(v, strict)
	}
	return ""
}

// isList reports whether a property of a type takes a list.
func isList(typ string) bool { return typ == "list" || strings.HasSuffix(typ, "List") }

// isEnum reports whether a type is one of QEMU's enums, by its name.
func isEnum(typ string) bool {
	return unicode.IsUpper(rune(typ[0])) && !strings.ContainsAny(typ, "<> ") && typ != "SocketAddress"
}

// isScalar reports whether a type is known to be neither a list nor an object.
func isScalar(typ string) bool {
	_, number := numericOf(typ)
	return number || typ == "bool" || typ == "str" || typ == "string" || isEnum(typ) || strings.HasPrefix(typ, "link<")
}

// wants returns why a value is of the wrong kind; "" if it is of the right one.
func wants(kind, want jsontext.Kind) string {
	if kind == want || kind == 'f' && want == 't' {
		return ""
	}
	return fmt.Sprintf("is %s, not %s", wirejson.KindName(want), wirejson.KindName(kind))
}

// mismatchAddress is like mismatch, for a PCI address.
func mismatchAddress(v jsontext.Value, strict bool) string {
	if v.Kind() == '0' && !strict {
		if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n >= 0 {
			return fmt.Sprintf("is the number %d, which this server takes for a slot, unlike newer ones; write it as text, such as \"05.0\"", n)
		}
	}
	var a PCIAddr
	if err := a.UnmarshalJSON(v); err != nil && !strings.HasPrefix(string(v), `"0x`) {
		return fmt.Sprintf("is %s, which is not the address of a PCI device, such as \"05.0\"", v)
	}
	return ""
}

// mismatchBool is like mismatch, for true and false.
func mismatchBool(v jsontext.Value, strict bool) string {
	words := []string{`"on"`, `"off"`, `"yes"`, `"no"`, `"true"`, `"false"`, `"y"`, `"n"`}
	if !strict && slices.Contains(words, string(v)) {
		return ""
	}
	return wants(v.Kind(), 't')
}

// A numeric is a type of integers.
type numeric struct {
	bits     int
	unsigned bool
	size     bool // text may have a unit
}

// numericOf returns a type of integers by QEMU's name.
func numericOf(typ string) (numeric, bool) {
	switch typ {
	case "size":
		return numeric{64, true, true}, true
	case "int":
		return numeric{bits: 64}, true
	}
	digits, unsigned := strings.CutPrefix(typ, "uint")
	if !unsigned {
		digits, _ = strings.CutPrefix(typ, "int")
	}
	switch digits {
	case "4", "8", "16", "32", "64":
		bits, _ := strconv.Atoi(digits)
		return numeric{bits: bits, unsigned: unsigned}, true
	}
	return numeric{}, false
}

// holds reports whether an integer is in the range of a type. QEMU accepts -1 as the
// greatest uint64.
func (n numeric) holds(digits string, base int) bool {
	_, err := strconv.ParseInt(digits, base, n.bits)
	if n.unsigned && (err != nil || n.bits < 64) {
		_, err = strconv.ParseUint(digits, base, n.bits)
	}
	return err == nil
}

// mismatch returns what is wrong with a value for an integer: "" if nothing is.
func (n numeric) mismatch(v jsontext.Value, strict bool) string {
	switch {
	case v.Kind() == '0':
		digits := string(v)
		if f, err := strconv.ParseFloat(digits, 64); !strict && err == nil && f == math.Trunc(f) && strings.ContainsAny(digits, ".eE") {
			digits = strconv.FormatFloat(f, 'f', 0, 64)
		}
		if n.holds(digits, 10) {
			return ""
		}
	case v.Kind() == '"' && !strict:
		digits := text(value{text: v})
		if n.holds(digits, 0) || n.size && strings.ContainsAny(strings.ToLower(digits), "bkmgtpe.") {
			return ""
		}
	default:
		return wants(v.Kind(), '0')
	}
	return fmt.Sprintf("is an integer of %d bits%s, not %s", n.bits, map[bool]string{true: " without a sign"}[n.unsigned], v)
}

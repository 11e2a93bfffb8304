package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// A fitter compares a JSON value with a type of a release's schema. It checks members in QEMU's
// order; QEMU stops at the first wrong one.
type fitter struct {
	rel *Release
	// typed is Value.Typed.
	typed bool
	// args says that the value is a command's arguments, in which -1 may stand for the largest
	// number.
	args bool

	changed bool // a typed value was made to fit
	misfits []misfit
}

// wrong notes that the value at a path is wrong, and QEMU's error for it.
func (f *fitter) wrong(path, refusal, format string, args ...any) {
	subject := "it"
	if path != "" {
		subject = "'" + path + "'"
	}
	f.misfits = append(f.misfits, misfit{subject + " " + fmt.Sprintf(format, args...), refusal})
}

// wrongKind is for a value that is not of a type's JSON kind.
func (f *fitter) wrongKind(path string, v any, want schema.JSONKind) {
	expected := string(want)
	f.wrong(path, fmt.Sprintf("Invalid parameter type for '%s', expected: %s", path, expected),
		"is %s, not %s", kind(v), article(want))
}

// value checks a value. now is the type in the newest release that corresponds to
// t, nil if there is none.
func (f *fitter) value(t, now schema.Type, v any, path string) {
	switch t := t.(type) {
	case schema.Builtin:
		f.builtin(t, v, path)
	case *schema.Array:
		list, ok := v.([]any)
		if !ok {
			f.wrongKind(path, v, schema.JSONArray)
			return
		}
		var elem schema.Type
		if a, ok := now.(*schema.Array); ok {
			elem = a.Elem
		}
		for i, e := range list {
			f.value(t.Elem, elem, e, path+"["+strconv.Itoa(i)+"]")
		}
	case *schema.Enum:
		s, ok := v.(string)
		if !ok {
			f.wrongKind(path, v, schema.JSONString)
		} else if value := t.Value(s); value == nil || !f.rel.holds(value.If) {
			refusal := fmt.Sprintf("Parameter '%s' does not accept value '%s'", last(path), s)
			if f.rel.Before("7.2") {
				refusal = fmt.Sprintf("Invalid parameter '%s'", s)
			}
			if f.typed && s == "" {
				f.wrong(path, refusal, "is not set to one of %s", f.rel.valuesOf(t))
			} else {
				f.wrong(path, refusal, "is %q, which is not one of %s", s, f.rel.valuesOf(t))
			}
		}
	case *schema.Struct, *schema.Union:
		object, ok := v.(map[string]any)
		if !ok {
			f.wrongKind(path, v, schema.JSONObject)
			return
		}
		f.object(t, now, object, path)
	case *schema.Alternate:
		f.alternate(t, now, v, path)
	}
}

func (f *fitter) object(t, now schema.Type, object map[string]any, path string) {
	known := map[string]bool{}
	current := map[string]*schema.Member{}
	for _, m := range membersOf(now, object) {
		current[m.Name] = m
	}
	for _, m := range membersOf(t, object) {
		if !f.rel.holds(m.If) {
			continue
		}
		known[m.Name] = true
		at := join(path, m.Name)
		var newType schema.Type
		if c := current[m.Name]; c != nil {
			newType = c.Type
		}
		v, there := object[m.Name]
		if (!there || v == "" || v == nil) && !m.Optional && f.typed && now != nil && newType == nil {
			if zero, ok := zeroOf(m.Type); ok {
				object[m.Name], v, there, f.changed = zero, zero, true, true
			}
		}
		switch {
		case there:
			f.value(m.Type, newType, v, at)
		case !m.Optional:
			f.missing(at)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		at := join(path, name)
		refusal := fmt.Sprintf("Parameter '%s' is unexpected", at)
		switch {
		case known[name]:
		case f.typed && isZero(object[name]):
			delete(object, name)
			f.changed = true
		case f.typed || current[name] != nil:
			f.wrong(at, refusal, "is not there in QEMU %s", f.rel.Name)
		default:
			f.wrong(at, refusal, "is unknown")
		}
	}
}

func (f *fitter) missing(path string) {
	f.wrong(path, fmt.Sprintf("Parameter '%s' is missing", path), "is missing")
}

// options checks the arguments of a command that takes more than the schema has. QEMU reads them as
// lists of options; other members, and types, are not checked here.
func (f *fitter) options(t schema.Type, object map[string]any) {
	for _, m := range membersOf(t, object) {
		if _, text := object[m.Name].(string); !m.Optional && !text && m.Type == schema.Str {
			f.missing(m.Name)
		}
	}
}

// membersOf lists the members that an object of a type has, those of its variant
// included. A tag that is missing or wrong adds none.
func membersOf(t schema.Type, object map[string]any) []*schema.Member {
	switch t := t.(type) {
	case *schema.Struct:
		return t.AllMembers()
	case *schema.Union:
		all := t.Base.AllMembers()
		tag, _ := object[t.Discriminator.Name].(string)
		if b := t.Branch(tag); b != nil {
			all = append(slices.Clip(all), membersOf(b.Type, object)...)
		}
		return all
	}
	return nil
}

func (f *fitter) alternate(t *schema.Alternate, now schema.Type, v any, path string) {
	for _, b := range t.Branches {
		if !f.rel.holds(b.If) || !mayBe(b.Type, v) {
			continue
		}
		var newType schema.Type
		if n, ok := now.(*schema.Alternate); ok {
			if i := slices.IndexFunc(n.Branches, func(nb *schema.AltBranch) bool { return nb.Name == b.Name }); i >= 0 {
				newType = n.Branches[i].Type
			}
		}
		f.value(b.Type, newType, v, path)
		return
	}
	f.wrong(path, fmt.Sprintf("Invalid parameter type for '%s', expected: %s", last(path), t.Name),
		"is %s, which %s cannot be", kind(v), t.Name)
}

// mayBe reports whether a value is of the JSON kind that a type has.
func mayBe(t schema.Type, v any) bool {
	switch want := schema.KindOf(t); v.(type) {
	case map[string]any:
		return want == schema.JSONObject
	case []any:
		return want == schema.JSONArray
	case string:
		return want == schema.JSONString
	case bool:
		return want == schema.JSONBool
	case nil:
		return want == schema.JSONNull
	default:
		return want == schema.JSONNumber
	}
}

func (f *fitter) builtin(t schema.Builtin, v any, path string) {
	if t == schema.Any {
		return
	}
	number, isNumber := v.(json.Number)
	switch want := schema.KindOf(t); {
	case want != schema.JSONNumber || t == schema.Number:
		if !mayBe(t, v) {
			f.wrongKind(path, v, want)
		}
	case !isNumber:
		f.wrong(path, notInteger(t, path), "is %s, not an integer", kind(v))
	case strings.ContainsAny(number.String(), ".eE"):
		f.wrong(path, notInteger(t, path), "is %s, not an integer", number)
	default:
		n, _ := new(big.Int).SetString(number.String(), 10) // the parser has checked that it is a number
		low, high := limits(t)
		if f.args && (t == schema.Uint64 || t == schema.Size) {
			low = big.NewInt(math.MinInt64)
		}
		if n.Cmp(low) < 0 || n.Cmp(high) > 0 {
			f.wrong(path, tooLarge(t, n, path), "is %s, not between %s and %s", number, low, high)
		}
	}
}

// notInteger returns QEMU's error for a value that is not an integer, or does not fit its largest type.
func notInteger(t schema.Builtin, path string) string {
	if isUnsigned(t) {
		return fmt.Sprintf("Parameter '%s' expects uint64", path)
	}
	return fmt.Sprintf("Invalid parameter type for '%s', expected: integer", path)
}

// tooLarge returns QEMU's error for an integer that does not fit its type.
func tooLarge(t schema.Builtin, n *big.Int, path string) string {
	largest, low := schema.Int64, big.NewInt(math.MinInt64)
	if isUnsigned(t) {
		largest = schema.Uint64
	}
	if _, high := limits(largest); t == schema.Int || t == schema.Size || t == largest || n.Cmp(low) < 0 || n.Cmp(high) > 0 {
		return notInteger(t, path)
	}
	return fmt.Sprintf("Parameter '%s' expects %s_t", last(path), t)
}

func isUnsigned(t schema.Builtin) bool {
	return t == schema.Size || strings.HasPrefix(string(t), "uint")
}

// limits returns the least and the largest value of an integer type.
func limits(t schema.Builtin) (low, high *big.Int) {
	bits := 64
	if digits := strings.TrimLeft(string(t), "uint"); digits != "" && t != schema.Size {
		bits, _ = strconv.Atoi(digits) // the names are ours
	}
	one := big.NewInt(1)
	if isUnsigned(t) {
		return new(big.Int), new(big.Int).Sub(new(big.Int).Lsh(one, uint(bits)), one)
	}
	high = new(big.Int).Lsh(one, uint(bits-1))
	return new(big.Int).Neg(high), new(big.Int).Sub(high, one)
}

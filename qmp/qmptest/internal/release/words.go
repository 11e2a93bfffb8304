package release

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// zeroOf returns what is sent for a member that only an old release has and that is not set: for an
// enum, the first value.
func zeroOf(t schema.Type) (any, bool) {
	if e, ok := t.(*schema.Enum); ok && len(e.Values) > 0 {
		return e.Values[0].Name, true
	}
	switch schema.KindOf(t) {
	case schema.JSONBool:
		return false, true
	case schema.JSONNumber:
		return json.Number("0"), true
	case schema.JSONArray:
		return []any{}, true
	case schema.JSONString:
		return "", t == schema.Str
	}
	return nil, false
}

// isZero reports whether v is what a Go type sends for a member that is not set.
func isZero(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		for _, each := range v {
			if !isZero(each) {
				return false
			}
		}
		return true
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// last returns the last member in a path. Some of QEMU's errors have this in place of the path; it does not
// name elements of lists.
func last(path string) string {
	if path == "" || strings.HasSuffix(path, "]") {
		return "null"
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}

// kind names a value's kind, for people.
func kind(v any) string {
	switch v := v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case nil:
		return "null"
	case json.Number:
		return "the number " + v.String()
	}
	return fmt.Sprintf("%T", v)
}

func article(k schema.JSONKind) string {
	switch k {
	case schema.JSONNull:
		return "null"
	case schema.JSONObject:
		return "an object"
	case schema.JSONArray:
		return "a list"
	}
	return "a " + string(k)
}

// valuesOf lists the values of an enum, for people.
func (r *Release) valuesOf(t *schema.Enum) string {
	var names []string
	for _, v := range t.Values {
		if r.holds(v.If) {
			names = append(names, v.Name)
		}
	}
	if len(names) > 8 {
		return fmt.Sprintf("the %d values of %s", len(names), t.Name)
	}
	return strings.Join(names, ", ")
}

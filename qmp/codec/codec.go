// Package codec is for generated bindings: it reads and writes the types for which
// reflection is not enough: unions, alternates, and the structs that hold
// them. It does not know any QAPI type; generated code passes it the members.
//
// Other programs rarely need it.
package codec

import (
	"reflect"

	"github.com/go-json-experiment/json"
)

// Marshal encodes x as servers expect it: compact, every member once.
func Marshal(x any) ([]byte, error) {
	return json.Marshal(x, json.Deterministic(true))
}

// IsNil reports whether v has nothing to encode: it is nil, or holds a nil pointer.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

// Package codec is what generated bindings use to read and write the types
// that reflection alone cannot: unions, alternates, and the structs that hold
// them. It knows no QAPI type; generated code tells it the members.
//
// Bindings import it; people rarely have a reason to.
package codec

import (
	"errors"
	"reflect"

	"github.com/go-json-experiment/json"
)

// Marshal encodes x as a server wants it: compact, every member once.
func Marshal(x any) ([]byte, error) {
	return json.Marshal(x, json.Deterministic(true))
}

// errNotSet is the cause when a union or a required alternate holds nothing.
var errNotSet = errors.New("not set")

// isNil reports whether v holds nothing to encode: no value, or a nil pointer.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

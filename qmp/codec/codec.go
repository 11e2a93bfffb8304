// Package codec is what generated bindings use to read and write the types
// that reflection alone cannot: unions, alternates, and the structs that hold
// them. It knows no QAPI type; generated code tells it the members.
//
// Bindings import it; people rarely have a reason to.
package codec

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Unmarshal decodes one JSON value as a server sends it: a member that x does
// not have is ignored, and a repeated one counts once, the last.
func Unmarshal(data []byte, x any) error {
	return json.Unmarshal(data, x,
		jsontext.AllowDuplicateNames(true), // not looking for them is faster
		jsontext.AllowInvalidUTF8(true))
}

// Marshal encodes x as a server wants it: compact, every member once.
func Marshal(x any) ([]byte, error) {
	return json.Marshal(x, json.Deterministic(true))
}

// errNotSet is the cause when a union or a required alternate holds nothing.
var errNotSet = errors.New("not set")

// notSet tells that nothing is in a place that must hold one of want's types.
func notSet(place, want string) error {
	return fmt.Errorf("%s is %w: it needs one of the types of %s", place, errNotSet, want)
}

// isNil reports whether v holds nothing to encode: no value, or a nil pointer.
func isNil(v any) bool {
	if v == nil {
		return true
	}
	rv := reflect.ValueOf(v)
	return rv.Kind() == reflect.Pointer && rv.IsNil()
}

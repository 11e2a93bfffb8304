package wiretest

import (
	stdjson "encoding/json"
	"reflect"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
)

// RoundTrip decodes JSON text into a Go type and encodes it again, with the
// JSON module and with encoding/json, and fails unless every part of it that
// the schema knows comes back. It returns the paths of the other parts.
func RoundTrip(t testing.TB, of schema.Type, into reflect.Type, text []byte) (unknown []string) {
	t.Helper()
	in, err := Parse(text)
	require.NoError(t, err)
	want, unknown := Prune(of, in)

	x := decode(t, json.Unmarshal, into, text)
	y := decode(t, stdjson.Unmarshal, into, text)
	requireEqual(t, x, y, "what encoding/json decodes differs")

	for _, codec := range []struct {
		name    string
		marshal func(any) ([]byte, error)
	}{
		{"the JSON module", func(v any) ([]byte, error) { return json.Marshal(v) }},
		{"encoding/json", stdjson.Marshal},
	} {
		out, err := codec.marshal(x)
		require.NoError(t, err, codec.name)
		again, err := Parse(out)
		require.NoError(t, err, codec.name)
		got, invented := Prune(of, again)
		require.Empty(t, invented, "%s encodes what the schema does not know", codec.name)
		if diff := cmp.Diff(want, withoutZeros(want, got)); diff != "" {
			t.Fatalf("%s loses or changes something (-sent +encoded):\n%s\nof %s", codec.name, diff, text)
		}
		requireEqual(t, x, decode(t, json.Unmarshal, into, out), codec.name+": decode(encode(x)) is not x")
		requireEqual(t, x, decode(t, stdjson.Unmarshal, into, out), codec.name+": encoding/json's decode(encode(x)) is not x")
	}
	return unknown
}

func decode(t testing.TB, f any, into reflect.Type, text []byte) any {
	t.Helper()
	x := reflect.New(into)
	var err error
	switch f := f.(type) {
	case func([]byte, any) error:
		err = f(text, x.Interface())
	case func([]byte, any, ...json.Options) error:
		err = f(text, x.Interface())
	}
	require.NoError(t, err, "%s from %s", into, text)
	return x.Elem().Interface()
}

func requireEqual(t testing.TB, want, got any, message string) {
	t.Helper()
	if reflect.DeepEqual(want, got) {
		return
	}
	// A required list that a server left out is nil, and comes back empty.
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(sameJSON)); diff != "" {
		t.Fatalf("%s: %T\n%s", message, want, diff)
	}
}

// sameJSON tells whether two values that were kept as text are the same: how
// they are spaced and escaped may differ.
func sameJSON(a, b stdjson.RawMessage) bool {
	x, errX := Parse(a)
	y, errY := Parse(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

// withoutZeros leaves out of got the members that want lacks and that say
// nothing: an older server does not send what is required now.
func withoutZeros(want, got any) any {
	switch got := got.(type) {
	case []any:
		list, ok := want.([]any)
		if !ok || len(list) != len(got) {
			return got
		}
		out := make([]any, len(got))
		for i := range got {
			out[i] = withoutZeros(list[i], got[i])
		}
		return out
	case map[string]any:
		object, ok := want.(map[string]any)
		if !ok {
			return got
		}
		out := map[string]any{}
		for name, value := range got {
			if wanted, ok := object[name]; ok {
				out[name] = withoutZeros(wanted, value)
			} else if !isZero(value) {
				out[name] = value
			}
		}
		return out
	}
	return got
}

// isZero reports whether a JSON value is that of a Go zero value.
func isZero(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			if !isZero(value) {
				return false
			}
		}
		return true
	case []any:
		return len(v) == 0
	case stdjson.Number:
		return v == "0"
	}
	return v == nil || v == "" || v == false || v == 0.0
}

// RoundTripAll is RoundTrip for a type that keeps every member.
func RoundTripAll(t testing.TB, into reflect.Type, text []byte) {
	t.Helper()
	want, err := Parse(text)
	require.NoError(t, err)
	x := decode(t, stdjson.Unmarshal, into, text)
	out, err := json.Marshal(x)
	require.NoError(t, err)
	got, err := Parse(out)
	require.NoError(t, err)
	requireEqual(t, want, got, "decode and encode change something")
}

package wiretest

import (
	stdjson "encoding/json"
	"reflect"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
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
		if diff := cmp.Diff(want, got); diff != "" {
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
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("%s: %T\n%s", message, want, cmp.Diff(want, got))
	}
}

package wiretest

import (
	stdjson "encoding/json"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/jsondiff"
	"github.com/goqapi/goqapi/schema"
)

// codecs are the two that bindings must agree with.
var codecs = []struct {
	name      string
	marshal   func(any) ([]byte, error)
	unmarshal func([]byte, any) error
}{
	{
		"the JSON module",
		func(v any) ([]byte, error) { return json.Marshal(v) },
		func(text []byte, v any) error { return json.Unmarshal(text, v) },
	},
	{"encoding/json", stdjson.Marshal, stdjson.Unmarshal},
}

// RoundTrip decodes JSON text into a Go type and encodes it again, with the
// JSON module and with encoding/json, and fails unless every part of it that
// the schema knows comes back. It returns what was decoded, and the paths of the other
// parts.
func RoundTrip(t testing.TB, of schema.Type, into reflect.Type, text []byte) (x any, unknown []string) {
	t.Helper()
	in, err := jsondiff.Parse(text)
	require.NoError(t, err)
	want, unknown := Prune(of, in)

	x = Decode(t, into, text)

	for _, codec := range codecs {
		out, err := codec.marshal(x)
		require.NoError(t, err, codec.name)
		again, err := jsondiff.Parse(out)
		require.NoError(t, err, codec.name)
		got, invented := Prune(of, again)
		require.Empty(t, invented, "%s encodes what the schema does not know", codec.name)
		if got = withoutZeros(want, got); !reflect.DeepEqual(want, got) {
			t.Fatalf("%s loses or changes something (-sent +encoded):\n%s\nof %s", codec.name, cmp.Diff(want, got), text)
		}
		requireEqual(t, x, Decode(t, into, out), codec.name+": decode(encode(x)) is not x")
	}
	return x, unknown
}

// Decode decodes text into a type, in both ways, which must agree.
func Decode(t testing.TB, into reflect.Type, text []byte) any {
	t.Helper()
	var first any
	for _, codec := range codecs {
		x := reflect.New(into)
		require.NoError(t, codec.unmarshal(text, x.Interface()), "%s by %s from %s", into, codec.name, text)
		if first == nil {
			first = x.Elem().Interface()
		}
		requireEqual(t, first, x.Elem().Interface(), "what "+codec.name+" decodes differs")
	}
	return first
}

func requireEqual(t testing.TB, want, got any, message string) {
	t.Helper()
	if reflect.DeepEqual(want, got) {
		return
	}
	// A required list that a server left out is nil, and comes back empty.
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.FilterValues(anyJSON, cmp.Comparer(sameJSON))); diff != "" {
		t.Fatalf("%s: %T\n%s", message, want, diff)
	}
}

// sameJSON compares values that were kept as text.
func sameJSON(a, b stdjson.RawMessage) bool { return jsondiff.Same(a, b) }

// anyJSON reports whether there is text to compare: EquateEmpty handles the rest.
func anyJSON(a, b stdjson.RawMessage) bool { return len(a)+len(b) > 0 }

// withoutZeros removes from got the members that want lacks and that are zero: an older
// server does not send some members that are required now.
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

// RoundTripAll is like RoundTrip, for a type that keeps every member.
func RoundTripAll(t testing.TB, into reflect.Type, text []byte) {
	t.Helper()
	want, err := jsondiff.Parse(text)
	require.NoError(t, err)
	x := Decode(t, into, text)
	out, err := json.Marshal(x)
	require.NoError(t, err)
	got, err := jsondiff.Parse(out)
	require.NoError(t, err)
	requireEqual(t, want, got, "decode and encode change something")
}

// Standalone encodes and decodes, each by itself, the values of the bindings'
// types that x is made of: users put any of them into JSON of their own. tested counts the values of each type; of one, some are enough.
func Standalone(t testing.TB, x any, tested *sync.Map) {
	t.Helper()
	const enough = 12
	within(reflect.ValueOf(x), func(v reflect.Value) {
		n, _ := tested.LoadOrStore(v.Type(), new(atomic.Int32))
		if n.(*atomic.Int32).Add(1) > enough {
			return
		}
		value := v.Interface()
		for _, c := range codecs {
			text, err := c.marshal(value)
			require.NoError(t, err, "%s of %s", v.Type(), c.name)
			for _, d := range codecs {
				again := reflect.New(v.Type())
				require.NoError(t, d.unmarshal(text, again.Interface()), "%s by %s from %s", v.Type(), d.name, text)
				requireEqual(t, value, again.Elem().Interface(), "what "+d.name+" decodes of what "+c.name+" encodes differs")
			}
		}
	})
}

// within calls f with each value of a type of the bindings that v is or holds.
func within(v reflect.Value, f func(reflect.Value)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			within(v.Elem(), f)
		}
		return
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Uint8 {
			for i := range v.Len() {
				within(v.Index(i), f)
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for _, field := range v.Fields() {
			within(field, f)
		}
	}
	if strings.HasPrefix(v.Type().PkgPath(), "github.com/goqapi/goqapi/") {
		f(v)
	}
}

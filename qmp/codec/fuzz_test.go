package codec_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp/codec"
)

// FuzzUnion decodes any text into a union. What can be decoded comes out the
// same when it is encoded and decoded again, and when it is read byte by byte,
// where the tag cannot be looked ahead for.
func FuzzUnion(f *testing.F) {
	for _, seed := range []string{
		`{"kind":"circle","id":"a","radius":3}`,
		`{"radius":3,"x":{"kind":"no"},"id":"a","kind":"circle"}`,
		`{"data":{"a":1},"kind":"boxed"}`,
		`{"p":[{"q":"\"}"}],"kind":"hexagon"}`,
		`{"a":["[","]",{"kind":"no"}],"b":{"c":"{\"}","kind":"no"},"kind":"nothing"}`, `{"a":[[1],[[]]],"b":{"c":{},"kind":"no"},"kind":"circle"}`,
		`{"a":["` + strings.Repeat(`],[",["`, 300) + `"],"kind":"circle"}`,
		`{"\u006bind":"circle"}`, `{}`, `[]`, `{"kind":7}`, `{"kind":null}`, `{"radius":`, `{, "kind": "circle"}`, ` {"kind" : "nothing" } `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var x shape
		err := decode(string(text), &x)

		valid := jsontext.Value(text).IsValid(wirejson.Lenient())
		require.True(t, valid || err != nil, "%q is not JSON", text)

		var slow shape
		slowErr := json.UnmarshalRead(iotest.OneByteReader(bytes.NewReader(text)), &slow)
		if err == nil && slowErr == nil {
			require.Equal(t, x, slow, "read byte by byte")
		}
		if err != nil {
			return
		}
		require.Equal(t, tagOf(t, text), x.Kind.kind(), "%q", text)
		out, err := codec.Marshal(x)
		if err != nil {
			return // text that is not UTF-8, or a tag that a variant has as a member
		}
		var again shape
		require.NoError(t, decode(string(out), &again), "%s", out)
		require.Equal(t, x.ID, again.ID)
		require.Equal(t, x.Kind.kind(), again.Kind.kind())
	})
}

// tagOf returns the first string named kind in an object, as jsontext reads it.
func tagOf(t *testing.T, text []byte) string {
	t.Helper()
	dec := jsontext.NewDecoder(bytes.NewReader(text), wirejson.Lenient())
	_, err := dec.ReadToken()
	require.NoError(t, err)
	for dec.PeekKind() == '"' {
		name, err := dec.ReadToken()
		require.NoError(t, err)
		if name.String() == "kind" {
			tag, err := dec.ReadToken()
			require.NoError(t, err)
			if tag.Kind() != '"' {
				return ""
			}
			return tag.String()
		}
		require.NoError(t, dec.SkipValue())
	}
	return ""
}

// FuzzProps decodes any object as members that no schema knows. It comes out as by
// reflection, except the types of integers.
func FuzzProps(f *testing.F) {
	for _, seed := range []string{
		`{}`, ` { "a" : [ 1 , -2.5e3 , { } , [ ] , "x\"}" , null , true ] , "\u0062\\" : { "" : false } } `, `{"a":1,"a":[2]}`,
		"{\"a\":\t1\r\n}", `{"a":18446744073709551615}`, `{"a":"\ud83d\ude00\ud83d"}`, `{"a":1e999}`, `{"a":tru}`, `{"a" 1}`, `[]`, `{"a":"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want map[string]any
		wantErr := json.Unmarshal(text, &want, wirejson.Lenient())
		got, err := decodeProps(string(text))
		if _, syntax := errors.AsType[*jsontext.SyntacticError](wantErr); !syntax && !jsontext.Value(text).IsValid(jsontext.AllowInvalidUTF8(true)) {
			return // a repeated member of another kind, which the JSON module decodes into what it had before
		}
		require.Equal(t, wantErr == nil, err == nil, "%v, not %v", err, wantErr)
		if err == nil && len(want) > 0 {
			require.Equal(t, want, floats(got))
		}
	})
}

// FuzzSkip skips any text. It accepts what jsontext accepts as JSON.
func FuzzSkip(f *testing.F) {
	for _, text := range texts {
		f.Add([]byte(text))
		f.Add([]byte(`[{"a": ` + text + `, "b": [` + text + `, 1]}]`))
	}
	f.Add([]byte(strings.Repeat(`[`, 10001) + strings.Repeat(`]`, 10001)))
	f.Fuzz(func(t *testing.T, text []byte) {
		want := jsontext.Value(text).IsValid(wirejson.Lenient())
		err := decode(string(text), codec.Into(func(d *codec.Decoder) { d.Skip() }))
		require.Equal(t, want, err == nil, "%q: %v", text, err)
	})
}

// floats makes every number in v a float.
func floats(v any) any {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case uint64:
		return float64(v)
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = floats(v[name])
		}
	}
	return v
}

// TestStream decodes unions from a stream that comes in small pieces.
func TestStream(t *testing.T) {
	const text = `[{"id":"a","radius":18446744073709551615,"kind":"circle"},{"kind":"nothing","id":"b"},{"data":{"a":1},"kind":"boxed"}]`
	for name, r := range map[string]io.Reader{
		"one byte": iotest.OneByteReader(bytes.NewReader([]byte(text))),
		"half":     iotest.HalfReader(bytes.NewReader([]byte(text))),
	} {
		var got []shape
		require.NoError(t, json.UnmarshalRead(r, &got), name)
		require.Equal(t, []shape{{"a", circle{18446744073709551615}}, {"b", nothing{}}, {"", boxed{1}}}, got, name)
	}
	var got []shape
	err := json.UnmarshalRead(iotest.OneByteReader(bytes.NewReader([]byte(`[{"kind":"circle"},{"kind":"circle","radius":"x"}]`))), &got)
	require.ErrorContains(t, err, "/1/radius")
}

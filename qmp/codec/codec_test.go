package codec_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/codec"
)

// shape is a union as the generator writes them: common member id, tag kind.
type shape struct {
	ID   string
	Kind variant
}

type variant interface {
	kind() string
	encodeShape(*codec.Encoder)
}

type (
	circle  struct{ Radius uint64 }
	nothing struct{}
	boxed   struct {
		A int `json:"a"`
	}
	unknown struct {
		tag     string
		members []byte
	}
)

func (circle) kind() string    { return "circle" }
func (nothing) kind() string   { return "nothing" }
func (boxed) kind() string     { return "boxed" }
func (u unknown) kind() string { return u.tag }

func (v circle) encodeShape(e *codec.Encoder)  { e.Uint("radius", v.Radius) }
func (nothing) encodeShape(*codec.Encoder)     {}
func (v boxed) encodeShape(e *codec.Encoder)   { e.Value("data", &v) }
func (u unknown) encodeShape(e *codec.Encoder) { e.Members(u.members) }

func (v *circle) decodeMember(dec *codec.Decoder, name []byte) (bool, error) {
	if string(name) == "radius" {
		return codec.Value(dec, &v.Radius)
	}
	return false, nil
}

func (x *shape) encodeMembers(e *codec.Encoder) {
	e.String("id", x.ID)
	if e.Variant("shape.Kind", "variant", x.Kind) {
		e.Tag("kind", x.Kind.kind())
		x.Kind.encodeShape(e)
	}
}

func (x *shape) decodeMember(dec *codec.Decoder, name []byte) (bool, error) {
	if string(name) == "id" {
		return codec.String(dec, &x.ID)
	}
	return false, nil
}

func (x shape) MarshalJSON() ([]byte, error) { return codec.Marshal(x) }
func (x shape) MarshalJSONTo(enc *jsontext.Encoder) error {
	return codec.EncodeObject(enc, "shape", x.encodeMembers)
}
func (x *shape) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, x) }
func (x *shape) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return codec.Decode(dec, x.decode)
}

func (x *shape) decode(dec *codec.Decoder) error {
	u, err := codec.BeginUnion(dec, x, "kind")
	if err != nil {
		return err
	}
	switch tag := string(u.Tag); tag {
	case "circle":
		var v circle
		err = u.Variant(x.decodeMember, v.decodeMember)
		x.Kind = v
	case "nothing":
		err = u.Empty(x.decodeMember)
		x.Kind = nothing{}
	case "boxed":
		var v boxed
		err = u.Data(x.decodeMember, &v)
		x.Kind = v
	default:
		var members []byte
		members, err = u.Members(x.decodeMember)
		x.Kind = unknown{tag, members}
	}
	return err
}

func TestUnion(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     shape
		out      string // if not in
	}{
		{"tag first", `{"kind":"circle","id":"a","radius":3}`, shape{"a", circle{3}}, `{"id":"a","kind":"circle","radius":3}`},
		{"tag last", `{"radius":3,"id":"a","kind":"circle"}`, shape{"a", circle{3}}, `{"id":"a","kind":"circle","radius":3}`},
		{"tag between", `{"x":{"kind":"no"},"kind":"circle","id":"a","radius":18446744073709551615}`,
			shape{"a", circle{math.MaxUint64}}, `{"id":"a","kind":"circle","radius":18446744073709551615}`},
		{"tag behind all kinds of values", `{"a":[{"b":"\"}]"},[[],-2.5e3 ,null]],"c":"\\","d":{},"e":null,"f":1,"radius":3,"kind":"circle"}`,
			shape{"", circle{3}}, `{"id":"","kind":"circle","radius":3}`},
		{"empty variant", `{"id":"a","kind":"nothing","new":[1,2]}`, shape{"a", nothing{}}, `{"id":"a","kind":"nothing"}`},
		{"wrapped", `{"id":"a","kind":"boxed","data":{"a":1}}`, shape{"a", boxed{1}}, ""},
		{"wrapped, data first", `{"data":{"a":1},"id":"a","kind":"boxed"}`, shape{"a", boxed{1}}, `{"id":"a","kind":"boxed","data":{"a":1}}`},
		{"unknown tag", `{"p":1,"id":"a","kind":"hexagon","q":{"r":[]}}`,
			shape{"a", unknown{"hexagon", []byte(`{"p":1,"q":{"r":[]}}`)}}, `{"id":"a","kind":"hexagon","p":1,"q":{"r":[]}}`},
		{"no tag", `{"p":1,"id":"a"}`, shape{"a", unknown{"", []byte(`{"p":1}`)}}, `{"id":"a","p":1}`},
		{"nothing at all", `{}`, shape{"", unknown{"", []byte(`{}`)}}, `{"id":""}`},
		{"escaped names", `{"\u006bind":"circle","r\u0061dius":4}`, shape{"", circle{4}}, `{"id":"","kind":"circle","radius":4}`},
		{"half a surrogate pair", `{"kind":"circle","id":"a\ud800b"}`, shape{"a\ufffdb", circle{}}, "{\"id\":\"a\ufffdb\",\"kind\":\"circle\",\"radius\":0}"},
		{"repeated", `{"kind":"circle","radius":1,"radius":2}`, shape{"", circle{2}}, `{"id":"","kind":"circle","radius":2}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got shape
			require.NoError(t, codec.Unmarshal([]byte(c.in), &got))
			assert.Equal(t, c.want, got)
			text, err := codec.Marshal(got)
			require.NoError(t, err)
			if c.out == "" {
				c.out = c.in
			}
			assert.Equal(t, c.out, string(text))

			// encoding/json does the same through the other pair of methods.
			var plain shape
			require.NoError(t, json.Unmarshal([]byte(c.in), &plain))
			assert.Equal(t, c.want, plain)
			text, err = json.Marshal(plain)
			require.NoError(t, err)
			assert.JSONEq(t, c.out, string(text))
		})
	}
}

// What no text can hold is replaced, as by reflection, and prints whatever it is.
func TestUnionIsNoText(t *testing.T) {
	var got shape
	require.NoError(t, codec.Unmarshal([]byte("{\"kind\":\"hexagon\",\"a\\ud800\":1,\"\x80\":2,\"b\":\"\x80\",\"b\":3}"), &got))
	assert.Equal(t, unknown{"hexagon", []byte("{\"a\ufffd\":1,\"\ufffd\":2,\"b\":\"\x80\",\"b\":3}")}, got.Kind)
	assert.Equal(t, "{\"id\":\"\",\"kind\":\"hexagon\",\"a\ufffd\":1,\"\ufffd\":2,\"b\":\"\ufffd\",\"b\":3}", codec.Text(got))
}

func TestUnionErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"not an object", `{"list":[7]}`, `an object is expected for codec_test.shape`},
		{"tag not a string", `{"list":[{"kind":7}]}`, `/list/0/kind`},
		{"member behind the tag", `{"list":[{"kind":"circle","radius":"x"}]}`, `/list/0/radius`},
		{"member before the tag", `{"list":[{"radius":"x","kind":"circle"}]}`, `/list/0/radius`},
		{"deep before the tag", `{"list":[{"data":{"a":"x"},"kind":"boxed"}]}`, `/list/0/data/a`},
		{"cut", `{"list":[{"kind":"circle","rad`, `unexpected EOF`},
		{"cut before the tag", `{"list":[{"radius":`, `unexpected EOF`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var x struct {
				List []shape `json:"list"`
			}
			err := codec.Unmarshal([]byte(c.in), &x)
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

func TestNoVariant(t *testing.T) {
	for name, x := range map[string]shape{"nil": {ID: "a"}, "nil pointer": {ID: "a", Kind: (*circle)(nil)}} {
		_, err := codec.Marshal(x)
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), "shape.Kind is not set: it needs one of the types of variant", name)
	}
	text, err := codec.Marshal(shape{ID: "a", Kind: &circle{1}})
	require.NoError(t, err)
	assert.Equal(t, `{"id":"a","kind":"circle","radius":1}`, string(text), "a pointer stands for its value")
}

func TestUnknownMembersMustBeAnObject(t *testing.T) {
	_, err := codec.Marshal(shape{Kind: unknown{"x", []byte(`[1]`)}})
	assert.ErrorContains(t, err, "object")
}

// TestRawValue compares what has a way of its own with what reflection does.
func TestRawValue(t *testing.T) {
	for _, text := range []string{`null`, `"a\u0062"`, `-1.50e3`, `{"a": [1, "x"], "a": 2}`, `[]`, `{"a":`, `tru`, ``} {
		read := func(value func(*jsontext.Decoder, *json.RawMessage) error) (json.RawMessage, error) {
			raw := json.RawMessage("what was there before")
			err := value(jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true)), &raw)
			return raw, err
		}
		want, wantErr := read(func(dec *jsontext.Decoder, raw *json.RawMessage) error {
			return jsonv2.UnmarshalDecode(dec, raw)
		})
		got, err := read(func(dec *jsontext.Decoder, raw *json.RawMessage) error {
			return codec.Decode(dec, func(dec *codec.Decoder) error {
				known, err := codec.Value(dec, raw)
				assert.True(t, known)
				return err
			})
		})
		assert.Equal(t, wantErr, err, text)
		if err == nil {
			assert.Equal(t, string(want), string(got))
		}
	}
}

type point struct{ X, Y int64 }

func (p *point) decode(dec *codec.Decoder) error {
	return codec.DecodeObject(dec, p, func(dec *codec.Decoder, name []byte) (bool, error) {
		if string(name) == "x" {
			return codec.Int(dec, &p.X)
		}
		return false, nil
	})
}

// A result that is a list comes out as by reflection, and its errors say where.
func TestListOf(t *testing.T) {
	decode := func(text string) ([]point, error) {
		var list []point
		err := jsonv2.Unmarshal([]byte(text), codec.ListOf(&list, (*point).decode))
		return list, err
	}
	list, err := decode(`[{"x":1,"new":[]},{"x":-9223372036854775808}]`)
	require.NoError(t, err)
	assert.Equal(t, []point{{X: 1}, {X: -1 << 63}}, list)
	list, err = decode(`[]`)
	require.NoError(t, err)
	assert.Equal(t, []point{}, list)
	list, err = decode(`null`)
	require.NoError(t, err)
	assert.Nil(t, list)
	for text, where := range map[string]string{
		`{}`:                          "",
		`[{"x":1},5]`:                 "/1",
		`[{"x":1},{"x":"1"}]`:         "/1/x",
		`[{"x":9223372036854775808}]`: "/0/x",
		`[{"x":1.5}]`:                 "/0/x",
	} {
		_, err := decode(text)
		if assert.Error(t, err, text) {
			semantic, ok := errors.AsType[*jsonv2.SemanticError](err)
			require.True(t, ok, "%s: %v", text, err)
			assert.Equal(t, where, string(semantic.JSONPointer), "%s: %v", text, err)
		}
	}
}

// decodeObject decodes text with a function for its members.
func decodeObject(text string, x any, member codec.MemberFunc) error {
	dec := jsontext.NewDecoder(strings.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	return codec.Decode(dec, func(dec *codec.Decoder) error { return codec.DecodeObject(dec, x, member) })
}

// A list of strings comes out as by reflection, errors included.
func TestStrings(t *testing.T) {
	type enum string
	for _, text := range []string{
		`["a","","\u00e9\n","\ud800"]`, `[]`, `null`, `{}`, `"a"`, `[1]`, `["a",null,["b"]]`, `["a"`, `["a" "b"]`, `[`,
	} {
		var got, want struct{ L []enum }
		text = `{"L":` + text + `}`
		wantErr := jsonv2.Unmarshal([]byte(text), &want, jsontext.AllowInvalidUTF8(true))
		err := decodeObject(text, &got, func(dec *codec.Decoder, name []byte) (bool, error) { return codec.Strings(dec, &got.L) })
		assert.Equal(t, wantErr == nil, err == nil, "%s: %v, not %v", text, err, wantErr)
		if err == nil {
			assert.Equal(t, want, got, text)
		} else if semantic, ok := errors.AsType[*jsonv2.SemanticError](wantErr); ok {
			assert.ErrorContains(t, err, string(semantic.JSONPointer), text)
		}
	}
}

// Members that the schema does not know may be anything, but no number that is too big.
func TestProp(t *testing.T) {
	decode := func(text string) (props map[string]any, err error) {
		err = decodeObject(text, &props, func(dec *codec.Decoder, name []byte) (bool, error) {
			return codec.Prop(dec, name, &props)
		})
		return props, err
	}
	props, err := decode(`{"a":{"b":[1,-1.5,18446744073709551615,null,"x"]}}`)
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"a": map[string]any{"b": []any{int64(1), -1.5, uint64(math.MaxUint64), nil, "x"}}}, props)
	_, err = decode(`{"a":{"b":[1,1e999]}}`)
	assert.ErrorContains(t, err, "/a/b/1")
}

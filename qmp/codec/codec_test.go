package codec_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/codec"
	"github.com/goqapi/goqapi/qmp/redacted"
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

func (v *circle) member(d *codec.Decoder, name []byte) bool {
	if string(name) == "radius" {
		d.Value(&v.Radius)
		return true
	}
	return false
}

func (v *boxed) decode(d *codec.Decoder) { d.Value(v) }

func (x *shape) encodeMembers(e *codec.Encoder) {
	e.String("id", x.ID)
	if e.Variant("Kind", "variant", x.Kind) {
		e.Tag("kind", x.Kind.kind())
		x.Kind.encodeShape(e)
	}
}

func (x *shape) member(d *codec.Decoder, name []byte) bool {
	if string(name) == "id" {
		d.String(&x.ID)
		return true
	}
	return false
}

func (x shape) MarshalJSON() ([]byte, error) { return codec.Marshal(x) }
func (x shape) MarshalJSONTo(enc *jsontext.Encoder) error {
	return codec.EncodeObject(enc, "shape", x.encodeMembers)
}
func (x *shape) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, x.decode) }
func (x *shape) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return codec.UnmarshalFrom(dec, x.decode)
}

func (x *shape) decode(d *codec.Decoder) {
	u := d.Union("shape", "kind")
	switch tag := string(u.Tag); tag {
	case "circle":
		var v circle
		for name := u.Member(); name != nil; name = u.Member() {
			if !x.member(d, name) && !v.member(d, name) {
				d.Unknown()
			}
		}
		x.Kind = v
	case "nothing":
		u.Empty(x.member)
		x.Kind = nothing{}
	case "boxed":
		var v boxed
		for name := u.Member(); name != nil; name = u.Member() {
			switch {
			case x.member(d, name):
			case string(name) == "data":
				v.decode(d)
			default:
				d.Unknown()
			}
		}
		x.Kind = v
	default:
		x.Kind = unknown{tag, u.Members(x.member)}
	}
}

// decode decodes text as a server's, into x.
func decode(text string, x any) error { return codec.Decode(context.Background(), []byte(text), x) }

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
		{"tag after all kinds of values", `{"a":[{"b":"\"}]"},[[],-2.5e3 ,null]],"c":"\\","d":{},"e":null,"f":1,"radius":3,"kind":"circle"}`,
			shape{"", circle{3}}, `{"id":"","kind":"circle","radius":3}`},
		{"tag after brackets in strings", `{"a":["]",{"kind":"no"},"["],"b":{"c":"}","kind":"no"},"d":["\"]",{"kind":"no"}],"kind":"circle"}`,
			shape{"", circle{}}, `{"id":"","kind":"circle","radius":0}`},
		{"tag after values of its kind", `{"a":{"b":{},"kind":"no"},"c":[[],{"kind":"no"}],"kind":"circle"}`, shape{"", circle{}}, `{"id":"","kind":"circle","radius":0}`},
		{"tag after a long value", `{"a":["` + strings.Repeat(`]`, 2000) + `",{"kind":"no"}],"kind":"circle"}`, shape{"", circle{}}, `{"id":"","kind":"circle","radius":0}`},
		{"an escaped tag, and strings with escapes", `{"kind":"hex\u0061gon","x":"\u0062\u0063\u0064"}`,
			shape{"", unknown{"hexagon", []byte(`{"x":"\u0062\u0063\u0064"}`)}}, `{"id":"","kind":"hexagon","x":"bcd"}`},
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
			require.NoError(t, decode(c.in, &got))
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

// Invalid UTF-8 is replaced, as by reflection, and can be encoded.
func TestUnionWithInvalidText(t *testing.T) {
	var got shape
	require.NoError(t, decode("{\"kind\":\"hexagon\",\"a\\ud800\":1,\"\x80\":2,\"b\":\"\x80\",\"b\":3}", &got))
	assert.Equal(t, unknown{"hexagon", []byte("{\"a\ufffd\":1,\"\ufffd\":2,\"b\":\"\x80\",\"b\":3}")}, got.Kind)
	assert.Equal(t, "{\"id\":\"\",\"kind\":\"hexagon\",\"a\ufffd\":1,\"\ufffd\":2,\"b\":\"\ufffd\",\"b\":3}", redacted.Text(got))
}

func TestUnionErrors(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"not an object", `{"list":[7]}`, `an object is expected for shape`},
		{"tag not a string", `{"list":[{"kind":7}]}`, `/list/0/kind`},
		{"member after the tag", `{"list":[{"kind":"circle","radius":"x"}]}`, `/list/0/radius`},
		{"member before the tag", `{"list":[{"radius":"x","kind":"circle"}]}`, `/list/0/radius`},
		{"deep before the tag", `{"list":[{"data":{"a":"x"},"kind":"boxed"}]}`, `/list/0/data/a`},
		{"cut", `{"list":[{"kind":"circle","rad`, `unexpected EOF`},
		{"a comma first", `{"list":[{, "kind": "circle"}]}`, `invalid character ','`},
		{"cut before the tag", `{"list":[{"radius":`, `unexpected EOF`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var x struct {
				List []shape `json:"list"`
			}
			err := decode(c.in, &x)
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.want)
		})
	}
}

// A method of encoding/json may be called with anything.
func TestUnionOfNothing(t *testing.T) {
	for _, text := range []string{"", " ", ",", `, "a": 1`, "null"} {
		require.Error(t, new(shape).UnmarshalJSON([]byte(text)), "%q", text)
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

package codec_test

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp/codec"
)

type enum string

// all has a member of each kind of type, and decode is what the generator writes for it.
// The JSON module does not know that method: it decodes all by reflection.
type all struct {
	String  string             `json:"string"`
	Enum    enum               `json:"enum"`
	Text    *string            `json:"text,omitzero"`
	Kind    *enum              `json:"kind,omitzero"`
	Bool    bool               `json:"bool"`
	Flag    *bool              `json:"flag,omitzero"`
	Int8    int8               `json:"int8"`
	Int     int64              `json:"int"`
	Uint8   uint8              `json:"uint8"`
	Uint    uint64             `json:"uint"`
	Count   *int64             `json:"count,omitzero"`
	Size    *uint64            `json:"size,omitzero"`
	Port    *uint16            `json:"port,omitzero"`
	Float   float64            `json:"float"`
	Strings []enum             `json:"strings"`
	Ints    []int64            `json:"ints,omitzero"`
	Floats  []float64          `json:"floats,omitzero"`
	Raw     stdjson.RawMessage `json:"raw,omitzero"`
	Point   point              `json:"point"`
	Down    *all               `json:"down,omitzero"`
	List    []all              `json:"list,omitzero"`
	Long    []long             `json:"long,omitzero"`
	Bytes   []byte             `json:"bytes,omitzero"`
}

type point struct {
	X int64 `json:"x"`
	Y int64 `json:"y"`
}

// long is large in memory.
type long struct {
	Point   point     `json:"point"`
	Numbers [100]byte `json:"-"`
}

func (x *all) decode(d *codec.Decoder) {
	for name := d.Object("all"); name != nil; name = d.Member() {
		switch string(name) {
		case "string":
			d.String(&x.String)
		case "enum":
			d.String((*string)(&x.Enum))
		case "text":
			d.OptString(&x.Text)
		case "kind":
			codec.Ptr(d, &x.Kind, codec.DecodeString)
		case "bool":
			d.Bool(&x.Bool)
		case "flag":
			d.OptBool(&x.Flag)
		case "int8":
			codec.Int(&x.Int8, d)
		case "int":
			d.Int64(&x.Int)
		case "uint8":
			codec.Uint(&x.Uint8, d)
		case "uint":
			d.Uint64(&x.Uint)
		case "count":
			d.OptInt64(&x.Count)
		case "size":
			d.OptUint64(&x.Size)
		case "port":
			codec.Ptr(d, &x.Port, codec.Uint)
		case "float":
			d.Float(&x.Float)
		case "strings":
			codec.List(d, &x.Strings, codec.DecodeString)
		case "ints":
			codec.List(d, &x.Ints, codec.Int)
		case "floats":
			codec.List(d, &x.Floats, codec.DecodeFloat)
		case "raw":
			d.Raw((*[]byte)(&x.Raw))
		case "point":
			x.Point.decode(d)
		case "down":
			codec.Ptr(d, &x.Down, (*all).decode)
		case "list":
			codec.List(d, &x.List, (*all).decode)
		case "long":
			codec.List(d, &x.Long, (*long).decode)
		case "bytes":
			d.Value(&x.Bytes)
		default:
			d.Unknown()
		}
	}
}

func (x *point) decode(d *codec.Decoder) {
	for name := d.Object("point"); name != nil; name = d.Member() {
		switch string(name) {
		case "x":
			d.Int64(&x.X)
		case "y":
			d.Int64(&x.Y)
		default:
			d.Unknown()
		}
	}
}

func (x *long) decode(d *codec.Decoder) {
	for name := d.Object("long"); name != nil; name = d.Member() {
		if string(name) == "point" {
			x.Point.decode(d)
		} else {
			d.Unknown()
		}
	}
}

// texts are what is tried in every place where a value may be.
var texts = []string{
	`null`, `true`, `false`, `tru`, `nulll`, ``, `{}`, `[]`, `{`, `[`, `}`, `]`, `,`, `{"x":1,}`, `[1,]`, `[,1]`, `{,"x":1}`, `[1 2]`, `{"x" 1}`,
	`{"x":1 "y":2}`, `{"x":1,"y":2,"z":[{"y":3},[]]}`, `{"x":1,"x":2}`, `{1:2}`, `{"x":}`, `[[1],[2]]`, ` { "x" : 1 } `, "[\t1,\r\n2 ]", "[\v1]", "[1]\x00", "\x00", " \x00",
	`0`, `-0`, `1`, `-1`, `01`, `-`, `+1`, `1.`, `.5`, `1.5`, `-1.5e3`, `1e`, `1e+`, `1E5`, `1e999`, `-1e-999`, `127`, `128`, `-128`, `-129`, `255`, `256`,
	`9223372036854775807`, `9223372036854775808`, `-9223372036854775808`, `-9223372036854775809`, `18446744073709551615`, `18446744073709551616`,
	`1.0`, `0x10`, `1_000`, `NaN`,
	`""`, `"a"`, `"`, `"a`, `"\"`, `"\"\\\/\b\f\n\r\t"`, `"\u0041\u00e9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83dx"`, `"\u12"`, `"\x"`, `"é€😀"`,
	"\"\x80\"", "\"a\xffb\\n\"", "\"\xc3\"", "\"\n\"", "\"\x00\"", "\"\x7f\"", `"` + strings.Repeat("long", 1000) + `"`,
	`["a","","\u00e9\n","\ud800"]`, `["a",null,["b"]]`, `[1.5,-0,1e2]`, `[{"string":"a"},{"down":{"int":1}}]`, `[1,2,3,4,5,6,7,8,9,10]`, `"AAEC"`, `"AAE"`,
}

// sameAsReflection fails unless text is decoded as the JSON module decodes it.
func sameAsReflection(t require.TestingT, text []byte) {
	var got, want all
	wantErr := json.Unmarshal(text, &want, wirejson.Lenient())
	err := codec.Decode(context.Background(), text, codec.Into(got.decode))
	require.Equal(t, wantErr == nil, err == nil, "%q: %v, not %v", text, err, wantErr)
	if repeated := !jsontext.Value(text).IsValid(jsontext.AllowInvalidUTF8(true)); repeated && bytes.Contains(text, []byte("null")) {
		return // a null that comes after a value changes nothing here
	}
	if err == nil {
		require.Equal(t, want, got, "%q", text)
		return
	}
	_, wantSyntax := errors.AsType[*jsontext.SyntacticError](wantErr)
	if _, syntax := errors.AsType[*jsontext.SyntacticError](err); wantSyntax {
		require.True(t, syntax, "%q: %v, not %v", text, err, wantErr)
		return
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		wantSemantic, _ := errors.AsType[*json.SemanticError](wantErr)
		require.Equal(t, wantSemantic.JSONPointer, semantic.JSONPointer, "%q: %v, not %v", text, err, wantErr)
	}
}

func TestDecode(t *testing.T) {
	members := []string{"string", "enum", "text", "kind", "bool", "flag", "int8", "int", "uint8", "uint", "count", "size", "port", "float", "strings", "ints", "floats",
		"raw", "point", "down", "list", "long", "bytes", "unknown", `\u0073tring`}
	for _, text := range texts {
		sameAsReflection(t, []byte(text))
		for _, name := range members {
			sameAsReflection(t, fmt.Appendf(nil, `{"int":1, "%s": %s, "bool": true}`, name, text))
			sameAsReflection(t, fmt.Appendf(nil, `{"list":[{},{"%s":%s}],"string":"after"}`, name, text))
		}
	}
	for _, depth := range []int{9999, 10000, 10001} {
		for _, text := range []string{strings.Repeat(`{"down":`, depth) + `null`, strings.Repeat(`{"list":[`, depth/2), strings.Repeat(`{"new":`, depth), `{"raw":` + strings.Repeat(`[`, depth-1)} {
			sameAsReflection(t, []byte(text+closing(text)))
		}
	}
}

// Strings are scanned eight bytes at a time: each byte is read correctly, in each of the eight places.
func TestEveryByte(t *testing.T) {
	for c := range 256 {
		for before := range 10 {
			for _, after := range []int{0, 1, 9} {
				s := strings.Repeat("a", before) + string([]byte{byte(c)}) + strings.Repeat("z", after)
				sameAsReflection(t, []byte(`{"string": "`+s+`", "raw": "`+s+`"}`))
				sameAsReflection(t, []byte(`{"int": 1, "`+s+`": 2, "list": [{}, {"`+s+`": 3}]}`))
			}
		}
	}
}

// The text between values has a fast path for the form that servers print; other spaces work, too.
func TestSpaces(t *testing.T) {
	for _, space := range []string{"", " ", "  ", "\t", "\r\n ", "\v", "\x00"} {
		for _, text := range []string{
			`~{~"int"~:~1~,~"strings"~:~[~"a"~,~"b"~]~,~"point"~:~{~"x"~:~2~}~,~"new"~:~{~}~}~`,
			`{"int": 1,~"bool": true, ~"strings": ["a",~"b", ~"c"~], "point":~{"x":~2~}, "new":~[]~}`,
			`{~"int"~: 1~,"bool" :true~,"strings" : [~"a"~,"b"~]}`,
			`{"strings": ["a",~], "int": 1}`, `{"int": 1,~}`, `{"int": 1,~"bool"~}`, `{"int": 1, "bool": ~`, `{"int": 1, "~`, `{"int": 1,~`,
			`{,~"int": 1}`, `{~,"int": 1}`, `{"strings": [,~"a"]}`, `{"new": [,~1]}`, `{"new": {,~"a": 1}}`, `{"list": [,~{}]}`, `,~1`, `,~"a"`,
		} {
			sameAsReflection(t, []byte(strings.ReplaceAll(text, "~", space)))
		}
	}
}

// closing returns the brackets and quotes that end the values that are open in text.
func closing(text string) string {
	var ends []byte
	for i := len(text) - 1; i >= 0; i-- {
		switch text[i] {
		case '{':
			ends = append(ends, '}')
		case '[':
			ends = append(ends, ']')
		case ':':
			if i == len(text)-1 {
				ends = append(ends, '1')
			}
		}
	}
	return string(ends)
}

// FuzzDecode compares the decoder with that of the JSON module.
func FuzzDecode(f *testing.F) {
	for _, text := range texts {
		for _, name := range []string{"string", "int", "uint", "float", "strings", "raw", "point", "list"} {
			f.Add(fmt.Appendf(nil, `{"list": [{"%s": %s, "unknown": %s}], "down":{"bool":true}}`, name, text, text))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) { sameAsReflection(t, text) })
}

// A list takes the memory of its elements, and not much more.
func TestListsHaveTheirLength(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 9
	}
	for n := 0; n < 2000; n += step {
		var x all
		text := `{"list":[` + strings.TrimSuffix(strings.Repeat(`{"int":1},`, n), ",") + `]}`
		require.NoError(t, decode(text, codec.Into(x.decode)))
		require.Len(t, x.List, n)
		require.LessOrEqual(t, cap(x.List), n+n/8+4)
	}
}

// Lists, optional scalars, strings and pieces of JSON share allocations without an effect on each other.
func TestSharedAllocations(t *testing.T) {
	const n = 1000
	element := `{"text":"a","flag":true,"count":-1,"size":2,"strings":["b","c"],"ints":[3],"raw":[4]}`
	text := []byte(`{"list":[` + strings.Repeat(element+",", n-1) + element + `]}`)
	var x all
	allocs := testing.AllocsPerRun(5, func() {
		x = all{}
		require.NoError(t, codec.Decode(context.Background(), text, codec.Into(x.decode)))
	})
	assert.Less(t, allocs, float64(n)/2, "for %d elements, each of seven values", n)

	want := all{Text: new("a"), Flag: new(true), Count: new(int64(-1)), Size: new(uint64(2)), Strings: []enum{"b", "c"}, Ints: []int64{3}, Raw: stdjson.RawMessage("[4]")}
	for i := range x.List { // whatever is done with one of them
		e := &x.List[i]
		require.Equal(t, want, *e, i)
		*e.Text, *e.Flag, *e.Count, *e.Size = "x", false, 9, 9
		e.Strings = append(e.Strings[:1], "y", "z")
		e.Ints = append(e.Ints, 9)
		e.Raw = append(e.Raw, "999"...)
	}
}

// numbers decodes itself.
type numbers struct{ List []int64 }

func (x *numbers) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return codec.UnmarshalFrom(dec, func(d *codec.Decoder) { codec.List(d, &x.List, codec.Int) })
}

// Lists share allocations also if they are in values that reflection decodes.
func TestSharedWithinReflection(t *testing.T) {
	const n = 20000
	text := []byte("[" + strings.Repeat("[1,2],", n-1) + "[1,2]]")
	var list []numbers
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.NoError(t, codec.Decode(t.Context(), text, &list))
	runtime.ReadMemStats(&after)
	require.Len(t, list, n)
	require.Equal(t, []int64{1, 2}, list[n-1].List)
	assert.Less(t, (after.TotalAlloc-before.TotalAlloc)/n, uint64(1000), "bytes for a list of two numbers")
}

// Strings that are kept keep little other memory.
func TestStringsDoNotKeepTheText(t *testing.T) {
	var x all
	text := []byte(`{"string":"abc","strings":["d","e"]}`)
	require.NoError(t, codec.Decode(t.Context(), text, codec.Into(x.decode)))
	clear(text)
	assert.Equal(t, "abc", x.String)
	assert.Equal(t, []enum{"d", "e"}, x.Strings)
}

// Members that the schema does not know may have any value, except numbers that are too big.
func TestProp(t *testing.T) {
	props, err := decodeProps(`{"a":{"b":[1,-1.5,18446744073709551615,null,"x"]}}`)
	require.NoError(t, err)
	assert.Equal(t, map[string]any{"a": map[string]any{"b": []any{int64(1), -1.5, uint64(math.MaxUint64), nil, "x"}}}, props)
	_, err = decodeProps(`{"a":{"b":[1,1e999]}}`)
	assert.ErrorContains(t, err, "/a/b/1")
}

// decodeProps decodes an object as members that no schema knows.
func decodeProps(text string) (props map[string]any, err error) {
	err = decode(text, codec.Into(func(d *codec.Decoder) {
		for name := d.Object("any"); name != nil; name = d.Member() {
			d.Prop(&props, name)
		}
	}))
	return props, err
}

// countdown is a context that ends after a number of calls of Err.
type countdown struct {
	context.Context
	looks int
}

func (c *countdown) Err() error {
	if c.looks--; c.looks < 0 {
		return context.Canceled
	}
	return nil
}

// points returns a place for a list of points.
func points() any {
	var list []point
	return codec.Into(func(d *codec.Decoder) { codec.List(d, &list, (*point).decode) })
}

// Decoding checks its context again and again, and ends when the context does.
func TestContext(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		x    func() any
	}{
		"list":            {strings.Repeat(`{"x":1},`, 1e5), points},
		"unknown members": {strings.Repeat(`{"new":[[1],{"a":2}]},`, 1e5), points},
		"skipped":         {strings.Repeat(`{"int":1},`, 1e5), func() any { return codec.Into(func(d *codec.Decoder) { d.Skip() }) }},
		"reflection":      {strings.Repeat(`{"x":1},`, 1e5), func() any { return new([]point) }},
		"any":             {strings.Repeat(`{"int":1},`, 1e5), func() any { return new(any) }},
		"unions":          {strings.Repeat(`{"kind":"circle"},`, 1e5), func() any { return new([]shape) }},
	} {
		text := []byte("[" + strings.TrimSuffix(c.text, ",") + "]")
		enough := &countdown{context.Background(), 1e6}
		require.NoError(t, codec.Decode(enough, text, c.x()), name)
		looks := int(1e6) - enough.looks
		assert.Greater(t, looks, 10, name)
		err := codec.Decode(&countdown{context.Background(), looks / 2}, text, c.x())
		assert.ErrorIs(t, err, context.Canceled, name)
	}
}

// With RejectUnknownMembers, unknown members are an error, wherever they are.
func TestRejectUnknownMembers(t *testing.T) {
	for _, c := range []struct{ text, at string }{
		{`{"list":[{"kind":"circle","id":"a","radius":3}]}`, ""},
		{`{"list":[{"kind":"circle","id":"a","radios":3}]}`, "/list/0/radios"},
		{`{"list":[{"radios":3,"kind":"circle"}]}`, "/list/0/radios"},
		{`{"list":[{"kind":"nothing","x":1}]}`, "/list/0/x"},
		{`{"list":[{"kind":"boxed","x":1,"data":{"a":1}}]}`, "/list/0/x"},
		{`{"list":[{"kind":"boxed","data":{"b":1}}]}`, "/list/0/data/b"},
		{`{"list":[{"kind":"hexagon","x":1}]}`, ""}, // it is kept
		{`{"list":[{"x":1}]}`, ""},
		{`{"new":1}`, "/new"},
	} {
		var x struct {
			List []shape `json:"list"`
		}
		require.NoError(t, json.Unmarshal([]byte(c.text), &x), c.text)
		require.NoError(t, decode(c.text, &x), c.text)
		err := json.Unmarshal([]byte(c.text), &x, json.RejectUnknownMembers(true))
		if c.at == "" {
			require.NoError(t, err, c.text)
			continue
		}
		require.ErrorIs(t, err, json.ErrUnknownName, c.text)
		semantic, _ := errors.AsType[*json.SemanticError](err)
		assert.Equal(t, c.at, string(semantic.JSONPointer))
	}
}

// Values that reflection decodes, and those for which it calls methods, share one budget.
func TestBudgetIsShared(t *testing.T) {
	part := `{"kind":"boxed","data":{"list":[` + strings.Repeat(`{},`, 1e4) + `{}]}}`
	text := `{"boxes":[` + strings.Repeat(part+",", 200) + part + `]}`
	var x struct {
		Boxes []crate `json:"boxes"`
	}
	err := decode(text, &x)
	require.ErrorContains(t, err, fmt.Sprintf("%d bytes of JSON would take more than %d MiB of memory", len(text), 64+14*len(text)>>20))
	x.Boxes = nil
	require.NoError(t, decode(`{"boxes":[`+part+`]}`, &x))
	require.Len(t, x.Boxes[0].List, 1e4+1)
}

// A list that grows does not take more than the budget before it is refused.
func TestGrowingListIsLimited(t *testing.T) {
	const n = 1 << 19
	text := []byte("[" + strings.Repeat("{},", n-1) + "{}]")
	limit := uint64(64<<20 + 14*len(text))
	var list []large
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := codec.Decode(t.Context(), text, codec.Into(func(d *codec.Decoder) {
		codec.List(d, &list, func(_ *large, d *codec.Decoder) { d.Skip() })
	}))
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "bytes of JSON would take more than")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, limit)
}

// large is a struct of which few fit the budget.
type large struct{ Numbers [1000]byte }

// crate decodes itself, and is large in memory.
type crate struct {
	List []struct{ Numbers [200]byte }
}

func (x *crate) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return codec.UnmarshalFrom(dec, func(d *codec.Decoder) {
		for name := d.Object("crate"); name != nil; name = d.Member() {
			switch string(name) {
			case "data":
				d.Value(x)
			case "list":
				d.Value(&x.List)
			default:
				d.Unknown()
			}
		}
	})
}

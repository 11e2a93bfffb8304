package wiretest

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/goqapi/goqapi/schema"
)

// A Sampler makes JSON values that a type allows: now with all optional
// members, now with none or some, with numbers at the ends of their ranges,
// and with every branch of unions and alternates in turn.
type Sampler struct {
	Rand *rand.Rand
	// Optional is the share of optional members that are there, 0 to 1.
	Optional float64
	// Digits makes the numbers in values of any type longer than a float64.
	Digits bool
	// Base64 names the members that are strings of base64.
	Base64 []string
	// turns count how often each union and alternate has been sampled, so that
	// the branches are used in turn.
	turns map[schema.Type]int
	made  int // values of this sample
}

// From these sizes on, a sample does not grow: optional members are left out, and lists are empty.
const (
	maxDepth  = 6
	maxValues = 2000
)

func (s *Sampler) grows(depth int) bool { return depth <= maxDepth && s.made < maxValues }

// Sample returns a JSON value of a type.
func (s *Sampler) Sample(t schema.Type) any {
	s.made = 0
	return s.value(t, 0)
}

func (s *Sampler) value(t schema.Type, depth int) any {
	s.made++
	switch t := t.(type) {
	case schema.Builtin:
		return s.builtin(t)
	case *schema.Enum:
		if len(t.Values) == 0 {
			return "none"
		}
		return t.Values[s.Rand.IntN(len(t.Values))].Name
	case *schema.Array:
		list := []any{}
		if s.grows(depth) {
			for range s.Rand.IntN(3) {
				list = append(list, s.value(t.Elem, depth+1))
			}
		}
		return list
	case *schema.Struct:
		object := map[string]any{}
		s.members(object, t, depth)
		return object
	case *schema.Union:
		object := map[string]any{}
		s.union(object, t, depth)
		return object
	case *schema.Alternate:
		return s.alternate(t, depth)
	}
	return nil
}

func (s *Sampler) members(object map[string]any, st *schema.Struct, depth int) {
	for _, m := range st.AllMembers() {
		if m.Optional && (!s.grows(depth) || s.Rand.Float64() >= s.Optional) {
			continue
		}
		if m.Type == schema.Type(schema.Str) && slices.Contains(s.Base64, m.Name) {
			object[m.Name] = s.base64()
			continue
		}
		object[m.Name] = s.value(m.Type, depth+1)
	}
}

func (s *Sampler) union(object map[string]any, u *schema.Union, depth int) {
	s.members(object, u.Base, depth)
	values := u.Discriminator.Type.(*schema.Enum).Values
	tag := values[s.turn(u)%len(values)].Name
	object[u.Discriminator.Name] = tag
	for _, b := range u.Branches {
		if b.Name != tag {
			continue
		}
		switch t := b.Type.(type) {
		case *schema.Struct:
			s.members(object, t, depth)
		case *schema.Union:
			s.union(object, t, depth)
		}
	}
}

// alternate takes the branches in turn; at a great depth it takes a branch that does not nest.
func (s *Sampler) alternate(a *schema.Alternate, depth int) any {
	at := s.turn(a)
	for i := range a.Branches {
		b := a.Branches[(at+i)%len(a.Branches)]
		if s.grows(depth) || KindOf(b.Type) != '{' {
			return s.value(b.Type, depth+1)
		}
	}
	return s.value(a.Branches[0].Type, depth+1)
}

func (s *Sampler) turn(t schema.Type) int {
	if s.turns == nil {
		s.turns = map[schema.Type]int{}
	}
	s.turns[t]++
	return s.turns[t] - 1
}

var texts = []string{"", "ide0", "a b", "\"quoted\\\"", "snöwman ☃ 𝄞", "line\nbreak", "\x01"}

// base64 encodes up to four bytes, so that every padding is used.
func (s *Sampler) base64() string {
	n := s.Rand.Uint32()
	return base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint32(nil, n)[:s.Rand.IntN(5)])
}

// integers are the ends of the ranges of the integer types.
var integers = map[schema.Builtin][]string{
	schema.Int:    {"-9223372036854775808", "0", "9007199254740993", "9223372036854775807"},
	schema.Int64:  {"-9223372036854775808", "0", "9007199254740993", "9223372036854775807"},
	schema.Int32:  {"-2147483648", "0", "2147483647"},
	schema.Int16:  {"-32768", "0", "32767"},
	schema.Int8:   {"-128", "0", "127"},
	schema.Uint64: {"0", "9007199254740993", "18446744073709551615"},
	schema.Size:   {"0", "9007199254740993", "18446744073709551615"},
	schema.Uint32: {"0", "4294967295"},
	schema.Uint16: {"0", "65535"},
	schema.Uint8:  {"0", "255"},
}

func (s *Sampler) builtin(t schema.Builtin) any {
	if ends, ok := integers[t]; ok {
		return json.Number(ends[s.Rand.IntN(len(ends))])
	}
	switch t {
	case schema.Str, schema.QType:
		return texts[s.Rand.IntN(len(texts))]
	case schema.Bool:
		return s.Rand.IntN(2) == 0
	case schema.Number:
		return json.Number(strconv.FormatFloat(s.Rand.NormFloat64(), 'g', -1, 64))
	case schema.Any:
		n := json.Number("7")
		if s.Digits {
			n = "18446744073709551615"
		}
		return map[string]any{"n": n, "l": []any{nil, true, "x"}}
	}
	return nil
}

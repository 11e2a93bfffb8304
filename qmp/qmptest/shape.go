package qmptest

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// A Place is where [Extra] puts members.
type Place int

// The places.
const (
	First   Place = iota // before all others
	Between              // after the first
	Last                 // after all others
)

// Extra adds members to a reply, or to the greeting, that no QEMU sends yet: the
// specification allows servers to add some. members is JSON without its outer braces:
//
//	qmptest.Extra(qmptest.First, `"time": {"id": 7, "return": []}`)
func Extra(at Place, members string) Fault {
	return func(f *faults) { f.extra = append(f.extra, extra{at, members}) }
}

// IDFirst puts the id of a reply before its result.
func IDFirst() Fault { return func(f *faults) { f.idFirst = true } }

// Spaces puts text, which must be white space such as "\n\t", everywhere in a reply where JSON allows
// white space. "" leaves out all white space.
func Spaces(text string) Fault { return func(f *faults) { f.spaces = &text } }

// Oversize makes a reply, or the greeting, at least this many bytes long.
func Oversize(bytes int) Fault { return func(f *faults) { f.least = bytes } }

type extra struct {
	at      Place
	members string
}

// A shape says how the text of a message differs from QEMU's, with the same content.
type shape struct {
	extra   []extra
	idFirst bool
	spaces  *string // nil: where QEMU has them
	least   int     // bytes
}

// shaped returns a message with additional members, and members in another order.
func (s shape) shaped(text []byte) []byte {
	if len(s.extra) == 0 && !s.idFirst && s.least == 0 {
		return text
	}
	members := membersOf(text)
	if s.idFirst {
		isID := func(m string) bool { return strings.HasPrefix(m, `"id":`) }
		if i := slices.IndexFunc(members, isID); i > 0 {
			members = slices.Concat(members[i:i+1], members[:i], members[i+1:])
		}
	}
	for _, e := range s.extra {
		at := map[Place]int{First: 0, Between: min(1, len(members)), Last: len(members)}[e.at]
		members = slices.Insert(members, at, e.members)
	}
	if missing := s.least - len(text); missing > 0 {
		members = append(members, `"padding": "`+strings.Repeat("x", missing)+`"`)
	}
	return []byte("{" + strings.Join(members, ", ") + "}")
}

// membersOf returns the members of an object that this package has written.
func membersOf(text []byte) (all []string) {
	in := jsontext.NewDecoder(bytes.NewReader(text))
	next := func(read func() error) {
		if err := read(); err != nil {
			panic(err)
		}
	}
	next(func() error { _, err := in.ReadToken(); return err })
	for in.PeekKind() == '"' {
		var name, value jsontext.Value
		next(func() (err error) { name, err = in.ReadValue(); name = name.Clone(); return err })
		next(func() (err error) { value, err = in.ReadValue(); return err })
		all = append(all, string(name)+": "+string(value))
	}
	return all
}

// spaced returns a message with other white space, except at the end of its line.
func (s shape) spaced(line []byte) []byte {
	if s.spaces == nil {
		return line
	}
	text := bytes.TrimRight(line, "\r\n")
	var out []byte
	var place wirejson.Nesting
	for _, c := range text {
		switch {
		case !place.Next(c):
		case strings.IndexByte(" \t\r\n", c) >= 0:
			continue
		case strings.IndexByte("{}[]:,", c) >= 0:
			out = append(append(append(out, *s.spaces...), c), *s.spaces...)
			continue
		}
		out = append(out, c)
	}
	return append(out, line[len(text):]...)
}

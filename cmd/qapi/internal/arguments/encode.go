package arguments

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/internal/edits"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// Encode makes the arguments, as a JSON object, with the types of a command. A nil
// command means that the schema does not know it: then text becomes a string. The types
// of a device's properties are those of list, which may be nil.
func (w *Words) Encode(c *schema.Command, list *devices.List) ([]byte, error) {
	if w.whole != nil {
		return w.whole, nil
	}
	e := &encoder{}
	switch {
	case c == nil:
		e.untyped(w.root)
	case c.Args == nil && len(w.root.names) > 0:
		return nil, fmt.Errorf("%s has no arguments", c.Name)
	case c.Args == nil:
		return []byte("{}"), nil
	case !c.Gen: // the command accepts more members than the schema lists
		e.device(w.root, c, list)
	default:
		e.object(w.root, c.Args, c.Name)
	}
	if e.err != nil {
		return nil, e.err
	}
	return e.out, nil
}

// Parse reads words and encodes them.
func Parse(command string, c *schema.Command, list *devices.List, words []string, from Sources) ([]byte, error) {
	w, err := Read(command, words, from)
	if err != nil {
		return nil, err
	}
	return w.Encode(c, list)
}

// An encoder writes JSON until there is an error.
type encoder struct {
	out []byte
	err error
}

func (e *encoder) fail(format string, args ...any) {
	if e.err == nil {
		e.err = fmt.Errorf(format, args...)
	}
}

func (e *encoder) text(s string) {
	quoted, err := json.Marshal(s)
	if err != nil {
		e.fail("%w", err)
	}
	e.out = append(e.out, quoted...)
}

// members writes an object; write writes each of its members.
func (e *encoder) members(n *node, write func(name string, m *node)) {
	e.out = append(e.out, '{')
	for i, name := range n.names {
		if i > 0 {
			e.out = append(e.out, ',')
		}
		e.text(name)
		e.out = append(e.out, ':')
		write(name, n.members[name])
	}
	e.out = append(e.out, '}')
}

// value writes a value of a type.
func (e *encoder) value(n *node, t schema.Type) {
	if n.json != nil {
		e.out = append(e.out, n.json...)
		return
	}
	switch t := t.(type) {
	case schema.Builtin:
		e.builtin(n, t)
	case *schema.Enum:
		e.enum(n, t)
	case *schema.Array:
		e.list(n, t.Elem)
	case *schema.Alternate:
		e.alternate(n, t)
	default:
		if n.members == nil {
			e.whole(n, '{', "is an object: give its members, such as "+n.word+"."+example(t)+"=…")
			return
		}
		e.object(n, t, n.word)
	}
}

// whole writes a leaf that must be JSON of a kind.
func (e *encoder) whole(n *node, kind byte, complaint string) {
	text := strings.TrimSpace(n.text)
	if text == "" || text[0] != kind || !json.Valid([]byte(text)) {
		e.fail("%s %s", n.word, complaint)
		return
	}
	e.out = append(e.out, text...)
}

// example returns the name of a member that an object of a type must have, or otherwise of any
// member.
func example(t schema.Type) string {
	list := membersOf(t, nil)
	for _, m := range list {
		if !m.Optional {
			return m.Name
		}
	}
	if len(list) > 0 {
		return list[0].Name
	}
	return "name"
}

// leaf reports whether a node is text. If it has members it fails.
func (e *encoder) leaf(n *node, what string) bool {
	if n.members != nil {
		e.fail("%s is %s, and has no member %s", n.word, what, n.names[0])
		return false
	}
	return true
}

func (e *encoder) enum(n *node, t *schema.Enum) {
	if !e.leaf(n, "one of the values of "+t.Name) {
		return
	}
	if t.Value(n.text) == nil {
		e.fail("%s=%s: %s", n.word, start(n.text), oneOf(n.text, valuesOf(t)))
		return
	}
	e.text(n.text)
}

func valuesOf(t *schema.Enum) []string {
	var names []string
	for _, v := range t.Values {
		names = append(names, v.Name)
	}
	return names
}

// oneOf returns the end of an error about a name that is not one of the allowed names.
func oneOf(name string, names []string) string {
	if near := edits.Nearest(name, names); near != "" {
		return "did you mean " + near + "?"
	}
	const most = 20
	if len(names) > most {
		return fmt.Sprintf("there is no such value; there are %d, such as %s", len(names), strings.Join(names[:3], ", "))
	}
	return "it must be " + OrList(names)
}

// OrList returns names as in "a, b or c".
func OrList(names []string) string {
	last := len(names) - 1
	if last <= 0 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// list writes a list: its elements have the numbers from 0 on as names.
func (e *encoder) list(n *node, elem schema.Type) {
	if n.members == nil {
		e.whole(n, '[', "is a list: give its elements, such as "+n.word+".0=…, or JSON, as in "+n.word+":=[…]")
		return
	}
	e.elements(n, func(m *node) { e.value(m, elem) })
}

func (e *encoder) elements(n *node, write func(*node)) {
	e.out = append(e.out, '[')
	for i := range n.names {
		m := n.members[strconv.Itoa(i)]
		if m == nil {
			e.fail("%s is a list: its elements must be %s.0, %s.1 and so on, without a gap; %s.%d is missing", n.word, n.word, n.word, n.word, i)
			return
		}
		if i > 0 {
			e.out = append(e.out, ',')
		}
		write(m)
	}
	e.out = append(e.out, ']')
}

// alternate writes a value of one of several forms. The words decide: members become an
// object or a list, and text becomes a string if that is possible.
func (e *encoder) alternate(n *node, t *schema.Alternate) {
	var forms []schema.Type
	for _, b := range t.Branches {
		forms = append(forms, b.Type)
	}
	if n.members != nil {
		_, err := strconv.Atoi(n.names[0])
		isList := err == nil
		for _, form := range forms {
			_, array := form.(*schema.Array)
			if kind := schema.KindOf(form); isList && array || !isList && kind == schema.JSONObject {
				e.value(n, form)
				return
			}
		}
		e.fail("%s is %s, and has no members", n.word, t.Name)
		return
	}
	for _, form := range forms {
		if form == schema.Str {
			e.text(n.text)
			return
		}
	}
	for _, form := range forms { // the first form that the text fits
		try := &encoder{}
		if try.value(n, form); try.err == nil {
			e.out = append(e.out, try.out...)
			return
		}
	}
	e.fail("%s=%s is not a value of %s: write it as JSON, %s:=…", n.word, start(n.text), t.Name, n.word)
}

// untyped writes a value whose type the schema does not know.
func (e *encoder) untyped(n *node) {
	switch {
	case n.json != nil:
		e.out = append(e.out, n.json...)
	case n.members == nil:
		e.text(n.text)
	case n.members["0"] != nil:
		e.elements(n, e.untyped)
	default:
		e.members(n, func(_ string, m *node) { e.untyped(m) })
	}
}

// device writes the arguments of a command that takes the properties of a device.
func (e *encoder) device(n *node, c *schema.Command, list *devices.List) {
	known := membersOf(c.Args, n)
	driver := n.members["driver"]
	var props []devices.Prop
	if driver != nil && list != nil {
		if t := findDevice(list, driver.text); t != nil {
			props = list.Props(t)
		}
	}
	e.missing(n, known, c.Name)
	e.members(n, func(name string, m *node) {
		if at := slices.IndexFunc(known, func(k *schema.Member) bool { return k.Name == name }); at >= 0 {
			e.value(m, known[at].Type)
			return
		}
		at := slices.IndexFunc(props, func(p devices.Prop) bool { return p.Name == name })
		switch {
		case at >= 0 && m.members == nil && m.json == nil:
			e.property(m, props[at])
		case at < 0 && len(props) > 0 && m.json == nil && m.members == nil:
			e.unknown(m, "the device "+driver.text, name, propertyNames(props, known))
		default:
			e.untyped(m)
		}
	})
}

func findDevice(list *devices.List, name string) *devices.Type {
	for _, target := range list.Targets() {
		if t := list.Find(name, target); t != nil {
			return t
		}
	}
	return nil
}

func propertyNames(props []devices.Prop, known []*schema.Member) []string {
	var names []string
	for _, p := range props {
		names = append(names, p.Name)
	}
	for _, m := range known {
		names = append(names, m.Name)
	}
	return names
}

// property writes a property of a device. What is not a number or a boolean is text.
func (e *encoder) property(n *node, p devices.Prop) {
	switch t := schema.Builtin(p.Type); {
	case p.Kind == devices.KindPCIAddr:
		e.text(n.text)
	case t == schema.Bool, isInteger(t), t == schema.Number:
		e.builtin(n, t)
	case p.Type == "list":
		e.list(n, schema.Str)
	default:
		e.text(n.text)
	}
}

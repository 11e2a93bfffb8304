package complete

import (
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// keys returns the keys that start with what was typed.
func (l *line) keys(typed string) []Candidate {
	key, stem := "", typed
	if i := strings.LastIndexByte(typed, '.'); i >= 0 {
		key, stem = typed[:i], typed[i+1:]
	}
	at, ok := l.find(key)
	if !ok {
		return nil
	}
	var found []Candidate
	if element, ok := at.element(); ok {
		found = l.places(found, at.path, element)
	}
	for _, m := range l.members(at) {
		if strings.HasPrefix(m.name, stem) {
			found = l.forms(found, at.path, m)
		}
	}
	return startingWith(found, typed)
}

func startingWith(found []Candidate, typed string) []Candidate {
	var fit []Candidate
	for _, c := range found {
		if strings.HasPrefix(c.Word, typed) {
			fit = append(fit, c)
		}
	}
	return fit
}

// forms adds the forms in which a member can be written: "name=", "name." and, for a list, the next
// index.
func (l *line) forms(to []Candidate, path string, m member) []Candidate {
	key := path + m.name
	if _, given := l.given[key]; given {
		return to
	}
	plain, object := m.shape()
	below := l.below(key)
	base := Candidate{Show: m.name, Help: m.help(), Open: true, rank: rankOf(m.name, m.required)}
	if plain && !below {
		c := base
		c.Word, c.Show = key+"=", m.name+"="
		to = append(to, c)
	}
	if object {
		c := base
		c.Word, c.Show = key+".", m.name+"."
		to = append(to, c)
	}
	if element, ok := m.element(); ok {
		from := len(to)
		to = l.places(to, key+".", element)
		for i := range to[from:] {
			c := &to[from+i]
			c.Show, c.Help, c.rank = strings.TrimPrefix(c.Word, path), base.Help, base.rank
		}
	}
	return to
}

// places adds the next index of a list, and the last one if more members can be given in it.
func (l *line) places(to []Candidate, path string, element member) []Candidate {
	next := l.nextIndex(path)
	plain, object := element.shape()
	for n := max(0, next-1); n <= next; n++ {
		element.name = strconv.Itoa(n)
		if _, isList := element.element(); n < next && !object && !isList {
			continue
		}
		if !plain && !object {
			to = append(to, Candidate{Word: path + element.name + ".", Show: element.name + ".", Open: true, rank: 1})
			continue
		}
		from := len(to)
		to = l.forms(to, path, element)
		for i := range to[from:] {
			to[from+i].rank = 1
		}
	}
	return to
}

// shape reports whether the member can be one value, and whether it can be an object.
func (m member) shape() (plain, object bool) {
	for _, t := range m.types {
		switch t.(type) {
		case schema.Builtin, *schema.Enum:
			plain = true
		case *schema.Struct, *schema.Union:
			object = true
		}
	}
	return plain, object
}

// help describes the member in a few words.
func (m member) help() string {
	var words []string
	if m.required {
		words = append(words, "required")
	}
	for _, t := range m.types {
		words = append(words, typeWord(t))
	}
	return strings.Join(words, ", ")
}

func typeWord(t schema.Type) string {
	switch t := t.(type) {
	case schema.Builtin:
		switch t {
		case schema.Str:
			return "text"
		case schema.Bool:
			return "true or false"
		case schema.Null, schema.Any:
			return string(t)
		}
		return "number"
	case *schema.Enum:
		return "one of " + strconv.Itoa(len(t.Values))
	case *schema.Array:
		return "list"
	}
	return "object"
}

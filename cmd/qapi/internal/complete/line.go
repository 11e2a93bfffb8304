package complete

import (
	"context"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// A line is a command with the arguments that are on it so far.
type line struct {
	ctx     context.Context
	engine  *Engine
	command *schema.Command
	given   map[string]string // the values by their keys, such as "file.driver"
	whole   bool              // the arguments are given as a whole
}

func newLine(ctx context.Context, e *Engine, command *schema.Command, words []string) *line {
	l := &line{ctx: ctx, engine: e, command: command, given: map[string]string{}}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		switch {
		case strings.HasPrefix(word, "{"), strings.HasPrefix(word, "@"), word == "-":
			l.whole = true
		case ok:
			l.given[strings.TrimSuffix(key, ":")] = value
		}
	}
	return l
}

// below reports whether the line has a value inside the object or list at a path.
func (l *line) below(path string) bool {
	for key := range l.given {
		if strings.HasPrefix(key, path) && len(key) > len(path) && key[len(path)] == '.' {
			return true
		}
	}
	return false
}

// nextIndex returns how many elements of the list with a path the line has.
func (l *line) nextIndex(path string) int {
	next := 0
	for key := range l.given {
		rest, ok := strings.CutPrefix(key, path)
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); err == nil && n >= next && n < 1<<20 {
			next = n + 1
		}
	}
	return next
}

// A place is the argument or member that a key such as "file.driver" names.
type place struct {
	path string // the key, followed by a dot unless it is empty: the prefix of the names inside it
	member
}

// A member is an argument, or a member of an object in one.
type member struct {
	name     string
	types    []schema.Type // its type, or those of the branches if it is an alternate
	ref      bool          // set for an alternate of a thing's name and the thing itself
	required bool
	kind     Kind // from the device's facts; other kinds are in a table
}

// start returns the place of all arguments.
func (l *line) start() place {
	return place{member: memberOf("", l.command.Args, true)}
}

// find returns the place with a key.
func (l *line) find(key string) (place, bool) {
	at := l.start()
	if key == "" {
		return at, true
	}
	for name := range strings.SplitSeq(key, ".") {
		m, ok := l.step(at, name)
		if !ok {
			return place{}, false
		}
		at = place{at.path + name + ".", m}
	}
	return at, true
}

func (l *line) step(at place, name string) (member, bool) {
	if element, ok := at.element(); ok {
		if n, err := strconv.ParseUint(name, 10, 16); err == nil && strconv.FormatUint(n, 10) == name {
			element.name = at.name
			return element, true
		}
	}
	for _, m := range l.members(at) {
		if m.name == name {
			return m, true
		}
	}
	return member{}, false
}

// members returns the members of the object at a place, including those that the tags on the line
// add.
func (l *line) members(at place) []member {
	var found []member
	for _, t := range at.types {
		found = l.addMembers(found, at.path, t, deepest)
	}
	if at.path == "" && !l.command.Gen {
		found = append(found, l.properties()...)
	}
	return found
}

// deepest limits how deep unions may be nested in one object, and alternates in alternates: a
// server could report types that contain themselves.
const deepest = 8

func (l *line) addMembers(to []member, path string, t schema.Type, depth int) []member {
	switch t := t.(type) {
	case *schema.Struct:
		return appendMembers(to, t)
	case *schema.Union:
		to = appendMembers(to, t.Base)
		if b := t.Branch(l.given[path+t.Discriminator.Name]); b != nil && depth > 0 {
			return l.addMembers(to, path, b.Type, depth-1)
		}
	}
	return to
}

func appendMembers(to []member, s *schema.Struct) []member {
	for _, m := range s.AllMembers() {
		to = append(to, memberOf(m.Name, m.Type, !m.Optional))
	}
	return to
}

func memberOf(name string, t schema.Type, required bool) member {
	m := member{name: name, required: required}
	if t != nil {
		m.add(t, deepest)
	}
	if a, ok := t.(*schema.Alternate); ok {
		m.ref = isReference(a)
	}
	return m
}

// add adds a type, or those in an alternate.
func (m *member) add(t schema.Type, depth int) {
	a, ok := t.(*schema.Alternate)
	if !ok {
		m.types = append(m.types, t)
		return
	}
	for _, b := range a.Branches {
		if depth > 0 {
			m.add(b.Type, depth-1)
		}
	}
}

// element returns the element of the list at a place, if the place can be a list.
func (m member) element() (member, bool) {
	for _, t := range m.types {
		if a, ok := t.(*schema.Array); ok {
			return memberOf("", a.Elem, false), true
		}
	}
	return member{}, false
}

// isReference reports whether an alternate is an object or its name, such as a BlockdevRef.
func isReference(a *schema.Alternate) bool {
	name, object := false, false
	for _, b := range a.Branches {
		switch b.Type.(type) {
		case *schema.Union:
			object = true
		case schema.Builtin:
			name = name || b.Type == schema.Type(schema.Str)
		}
	}
	return name && object
}

package schema

import "strings"

// Functions that build syntax for printing.

func str(s string) *node { return &node{kind: tokString, text: s} }

func list() *node { return &node{kind: '['} }

func strs(list []string) *node {
	n := &node{kind: '['}
	for _, s := range list {
		n.elems = append(n.elems, str(s))
	}
	return n
}

// object makes an object of at most one key.
func object(member ...any) *node {
	n := &node{kind: '{'}
	if len(member) == 2 {
		n.add(member[0].(string), member[1].(*node))
	}
	return n
}

func (n *node) add(key string, value *node) {
	n.keys = append(n.keys, str(key))
	n.elems = append(n.elems, value)
}

// flag adds a flag if it has the value that is not the default.
func (n *node) flag(key string, value, unusual bool) {
	if value != unusual {
		return
	}
	kind := tokFalse
	if value {
		kind = tokTrue
	}
	n.add(key, &node{kind: kind})
}

func typeNode(t Type) *node {
	if a, ok := t.(*Array); ok {
		return strs([]string{a.Elem.TypeName()})
	}
	return str(t.TypeName())
}

// top writes an expression of the top level: on one line if it fits, otherwise with a
// line for each key.
func (p *printer) top(n *node) {
	if line := n.inline(); len(line) <= pageWidth {
		p.out.WriteString(line)
	} else {
		p.out.WriteString("{ ")
		p.lines(n, indented)
		p.out.WriteString(" }")
	}
	p.out.WriteByte('\n')
}

// lines writes the elements of a list or an object, one to a line.
func (p *printer) lines(n *node, indent int) {
	for i, e := range n.elems {
		if i > 0 {
			p.out.WriteString(",\n" + strings.Repeat(" ", indent))
		}
		used := indent
		if n.kind == '{' {
			key := n.keys[i].inline() + ": "
			p.out.WriteString(key)
			used += len(key)
		}
		p.value(e, indent, used)
	}
}

// value writes a value after used columns of a line that begins with indent.
func (p *printer) value(n *node, indent, used int) {
	// A comma, or the closing brackets of three objects, may follow it.
	const after = len(" } } }")
	line := n.inline()
	if used+len(line)+after <= pageWidth || len(n.elems) == 0 {
		p.out.WriteString(line)
		return
	}
	indent += indented
	p.out.WriteString(line[:1] + "\n" + strings.Repeat(" ", indent))
	p.lines(n, indent)
	p.out.WriteString(" " + line[len(line)-1:])
}

// inline returns a value on one line.
func (n *node) inline() string {
	switch n.kind {
	case tokString:
		return "'" + strings.ReplaceAll(n.text, `\`, `\\`) + "'"
	case tokTrue:
		return "true"
	case tokFalse:
		return "false"
	}
	parts := make([]string, len(n.elems))
	for i, e := range n.elems {
		parts[i] = e.inline()
		if n.kind == '{' {
			parts[i] = n.keys[i].inline() + ": " + parts[i]
		}
	}
	open, end := "{", "}"
	if n.kind == '[' {
		open, end = "[", "]"
	}
	if len(parts) == 0 {
		return open + end
	}
	return open + " " + strings.Join(parts, ", ") + " " + end
}

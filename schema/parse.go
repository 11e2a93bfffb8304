package schema

// A node is one value of a schema file: a string, a boolean, a list or an
// object.
type node struct {
	kind  token // tokString, tokTrue, tokFalse, '[' or '{'
	pos   Pos
	text  string  // of a string
	elems []*node // of a list; the values of an object
	keys  []*node // the keys of an object: strings, one for each of elems
}

// get returns the value of an object's key, or nil.
func (n *node) get(key string) *node {
	for i, k := range n.keys {
		if k.text == key {
			return n.elems[i]
		}
	}
	return nil
}

func (n *node) isString() bool { return n != nil && n.kind == tokString }
func (n *node) isList() bool   { return n != nil && n.kind == '[' }
func (n *node) isObject() bool { return n != nil && n.kind == '{' }

// maxNesting bounds the nesting of lists and objects in a file. Conditions can
// nest freely; real schemas have at most six levels.
const maxNesting = 100

// parseValue reads a value that begins with the current token, and the token
// after it.
func (l *lexer) parseValue(depth int) (*node, *Error) {
	n := &node{kind: l.tok, pos: l.pos()}
	if depth > maxNesting {
		return nil, l.errorf(l.at, "more than %d levels of nesting", maxNesting)
	}
	switch l.tok {
	case '{':
		return n, l.parseObject(n, depth)
	case '[':
		return n, l.parseList(n, depth)
	case tokString:
		n.text = l.text
	case tokTrue, tokFalse:
	default:
		return nil, l.errorf(l.at, "a value is expected, not %v", l.tok)
	}
	return n, l.next()
}

func (l *lexer) parseObject(n *node, depth int) *Error {
	if err := l.next(); err != nil {
		return err
	}
	if l.tok == '}' {
		return l.next()
	}
	seen := make(map[string]bool)
	for {
		if l.tok != tokString {
			if len(n.keys) == 0 {
				return l.errorf(l.at, "a key or '}' is expected, not %v", l.tok)
			}
			return l.errorf(l.at, "a key is expected after ',', not %v", l.tok)
		}
		key := &node{kind: tokString, pos: l.pos(), text: l.text}
		if seen[key.text] {
			return l.errorf(l.at, "the key '%s' occurs twice", key.text)
		}
		seen[key.text] = true
		if err := l.next(); err != nil {
			return err
		}
		if l.tok != ':' {
			return l.errorf(l.at, "':' is expected after the key '%s', not %v", key.text, l.tok)
		}
		if err := l.next(); err != nil {
			return err
		}
		value, err := l.parseValue(depth + 1)
		if err != nil {
			return err
		}
		n.keys = append(n.keys, key)
		n.elems = append(n.elems, value)
		switch l.tok {
		case ',':
			if err := l.next(); err != nil {
				return err
			}
		case '}':
			return l.next()
		default:
			return l.errorf(l.at, "',' or '}' is expected, not %v", l.tok)
		}
	}
}

func (l *lexer) parseList(n *node, depth int) *Error {
	if err := l.next(); err != nil {
		return err
	}
	if l.tok == ']' {
		return l.next()
	}
	for {
		elem, err := l.parseValue(depth + 1)
		if err != nil {
			return err
		}
		n.elems = append(n.elems, elem)
		switch l.tok {
		case ',':
			if err := l.next(); err != nil {
				return err
			}
		case ']':
			return l.next()
		default:
			return l.errorf(l.at, "',' or ']' is expected, not %v", l.tok)
		}
	}
}

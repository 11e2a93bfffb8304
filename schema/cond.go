package schema

import (
	"regexp"
	"strings"
)

// String returns the condition in a form for people: CONFIG_LINUX,
// "A and not (B or C)".
func (c *Cond) String() string {
	switch {
	case c == nil:
		return ""
	case c.Not != nil:
		return "not " + c.Not.operand()
	case len(c.All) > 0:
		return joinConds(c.All, " and ")
	case len(c.Any) > 0:
		return joinConds(c.Any, " or ")
	default:
		return c.Symbol
	}
}

func joinConds(conds []*Cond, sep string) string {
	if len(conds) == 1 {
		return conds[0].String()
	}
	parts := make([]string, len(conds))
	for i, c := range conds {
		parts[i] = c.operand()
	}
	return strings.Join(parts, sep)
}

// operand returns c as part of a larger condition.
func (c *Cond) operand() string {
	if len(c.All) > 1 || len(c.Any) > 1 {
		return "(" + c.String() + ")"
	}
	return c.String()
}

var condSymbol = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

// cond reads the 'if' of n, an object that is described by what.
func (d *decl) cond(n *node, what string) (*Cond, *Error) {
	v := n.get("if")
	if v == nil {
		return nil, nil
	}
	if d.era == eraWhitelists && v.isList() {
		// The list form of QEMU 5.2: all conditions in it must be true.
		all, err := d.condList(v, "if", what)
		return d.joined(&Cond{All: all}), err
	}
	return d.condValue(v, what)
}

func (d *decl) condValue(v *node, what string) (*Cond, *Error) {
	switch {
	case v.isString():
		if condSymbol.MatchString(v.text) {
			return &Cond{Symbol: v.text}, nil
		}
		if d.era <= eraSections {
			if c := parseCExpression(v.text); c != nil {
				return c, nil
			}
			return nil, d.errorf("the condition '%s' of %s is neither a symbol nor an expression of defined(SYMBOL), !, && and ||", v.text, what)
		}
		return nil, d.errorf("the condition '%s' of %s is not a symbol (capitals, digits and '_')", v.text, what)
	case !v.isObject():
		return nil, d.errorf("the 'if' of %s must be a string or an object", what)
	}
	if err := d.checkKeys(v, "the 'if' of "+what, nil, []string{"all", "any", "not"}); err != nil {
		return nil, err
	}
	if len(v.keys) != 1 {
		return nil, d.errorf("the 'if' of %s must have exactly one of the keys 'all', 'any' and 'not'", what)
	}
	key, arg := v.keys[0].text, v.elems[0]
	if key == "not" {
		not, err := d.condValue(arg, what)
		if err != nil {
			return nil, err
		}
		return &Cond{Not: not}, nil
	}
	if !arg.isList() {
		return nil, d.errorf("the '%s' condition of %s must be a list", key, what)
	}
	conds, err := d.condList(arg, key, what)
	if key == "any" {
		return d.joined(&Cond{Any: conds}), err
	}
	return d.joined(&Cond{All: conds}), err
}

func (d *decl) condList(v *node, key, what string) ([]*Cond, *Error) {
	if len(v.elems) == 0 {
		return nil, d.errorf("the '%s' condition of %s is an empty list", key, what)
	}
	var conds []*Cond
	for _, e := range v.elems {
		c, err := d.condValue(e, what)
		if err != nil {
			return nil, err
		}
		conds = append(conds, c)
	}
	return conds, nil
}

// joined replaces a list with one element by the element in an old schema, in whose
// language the two look the same.
func (d *decl) joined(c *Cond) *Cond {
	if d.era <= eraSections && len(c.All)+len(c.Any) == 1 {
		return append(c.All, c.Any...)[0]
	}
	return c
}

// A cParser reads the preprocessor expressions that are the conditions up to
// QEMU 6.1: defined(A) && !defined(B) || (...).
type cParser struct {
	rest  string
	depth int
}

var cDefined = regexp.MustCompile(`^defined\s*(?:\(\s*([A-Za-z_]\w*)\s*\)|\s([A-Za-z_]\w*))`)

// parseCExpression returns nil if text is not such an expression.
func parseCExpression(text string) *Cond {
	p := &cParser{rest: text}
	c := p.or()
	if p.skip(); p.rest != "" {
		return nil
	}
	return c
}

func (p *cParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t") }

func (p *cParser) accept(op string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, op)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *cParser) or() *Cond {
	terms := p.operands("||", p.and)
	if len(terms) == 1 {
		return terms[0]
	}
	if terms == nil {
		return nil
	}
	return &Cond{Any: terms}
}

func (p *cParser) and() *Cond {
	terms := p.operands("&&", p.unary)
	if len(terms) == 1 {
		return terms[0]
	}
	if terms == nil {
		return nil
	}
	return &Cond{All: terms}
}

func (p *cParser) operands(op string, operand func() *Cond) []*Cond {
	var terms []*Cond
	for {
		c := operand()
		if c == nil {
			return nil
		}
		terms = append(terms, c)
		if !p.accept(op) {
			return terms
		}
	}
}

func (p *cParser) unary() *Cond {
	if p.depth++; p.depth > maxNesting {
		return nil
	}
	defer func() { p.depth-- }()
	if p.accept("!") {
		if c := p.unary(); c != nil {
			return &Cond{Not: c}
		}
		return nil
	}
	if p.accept("(") {
		c := p.or()
		if !p.accept(")") {
			return nil
		}
		return c
	}
	p.skip()
	m := cDefined.FindStringSubmatch(p.rest)
	if m == nil {
		return nil
	}
	p.rest = p.rest[len(m[0]):]
	return &Cond{Symbol: m[1] + m[2]}
}

// cExpression writes the condition as QEMU 5.2 has it.
func (c *Cond) cExpression() string {
	switch {
	case c.Not != nil:
		return "!" + c.Not.cOperand()
	case len(c.All) > 0:
		return joinC(c.All, " && ")
	case len(c.Any) > 0:
		return joinC(c.Any, " || ")
	default:
		return "defined(" + c.Symbol + ")"
	}
}

func joinC(conds []*Cond, op string) string {
	parts := make([]string, len(conds))
	for i, c := range conds {
		parts[i] = c.cOperand()
	}
	return strings.Join(parts, op)
}

func (c *Cond) cOperand() string {
	if len(c.All) > 0 || len(c.Any) > 0 {
		return "(" + c.cExpression() + ")"
	}
	return c.cExpression()
}

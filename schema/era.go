package schema

import (
	"regexp"
	"slices"
)

// An era is a version of the language. A schema does not say for which release it was
// written, but older schemas contain constructs that newer ones no longer have: then
// the rules of that time apply.
type era int

const (
	// Up to QEMU 5.2: some pragmas are called whitelists. Names may hold '_' anywhere,
	// conditions are C expressions, unions may be simple.
	eraWhitelists era = iota
	// Up to QEMU 8.2: documentation with sections such as "Note:" and
	// "Example:", which may leave members out. Releases up to 6.1 still have
	// C expressions and simple unions.
	eraSections
	// QEMU 9.0 and later.
	eraCurrent
)

var oldSection = regexp.MustCompile(`^(Notes?|Examples?):(\s|$)`)

// eraOf returns the era to which a documentation comment belongs.
func eraOf(d *docComment) era {
	if d.symbol == "" {
		return eraCurrent
	}
	for i, line := range d.lines[1:] {
		if d.lines[i].text == "" && oldSection.MatchString(line.text) {
			return eraSections
		}
	}
	return eraCurrent
}

// oldForm reports whether a definition has something that only releases up to 6.1
// have: a simple union, or a condition that is not about a configuration symbol.
func oldForm(def Definition) bool {
	if u, ok := def.(*Union); ok && u.Simple {
		return true
	}
	return slices.ContainsFunc(conds(def), (*Cond).oldForm)
}

func (c *Cond) oldForm() bool {
	if c == nil {
		return false
	}
	return c.Symbol != "" && !condSymbol.MatchString(c.Symbol) || c.Not.oldForm() ||
		slices.ContainsFunc(c.All, (*Cond).oldForm) || slices.ContainsFunc(c.Any, (*Cond).oldForm)
}

// conds returns the conditions of a definition and of its parts; a nil means no condition.
func conds(def Definition) []*Cond {
	list := []*Cond{def.Def().If}
	switch def := def.(type) {
	case *Enum:
		for _, v := range def.Values {
			list = append(list, v.If)
		}
	case *Union:
		for _, b := range def.Branches {
			list = append(list, b.If)
		}
	case *Alternate:
		for _, b := range def.Branches {
			list = append(list, b.If)
		}
	}
	for _, m := range ownMembers(def) {
		list = append(list, m.If)
	}
	for _, f := range allFeatures(def) {
		list = append(list, f.If)
	}
	return list
}

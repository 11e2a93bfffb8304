package schema

import (
	"regexp"
	"strings"
)

var (
	// A name may begin with a downstream prefix, "__com.example_", and with
	// "x-"; the stem is what the rules on upper and lower case are about.
	namePattern  = regexp.MustCompile(`^(?:__[A-Za-z0-9.-]+_)?(?:[xX]-)?([A-Za-z][A-Za-z0-9_-]*)$`)
	camelPattern = regexp.MustCompile(`^[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*$`)
)

const (
	lowerLetters = "abcdefghijklmnopqrstuvwxyz"
	upperLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// mangle returns the name in C, in which names can clash.
func mangle(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '_', '0' <= r && r <= '9', 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z':
			return r
		}
		return '_'
	}, name)
}

// stem checks that a name is allowed, and returns it without prefixes.
func (d *decl) stem(name, what string) (string, *Error) {
	m := namePattern.FindStringSubmatch(name)
	if m == nil {
		return "", d.errorf("%s has a name that is not allowed: it must begin with a letter, and hold letters, digits, '-' and '_' only", what)
	}
	if strings.HasPrefix(mangle(name), "q_") {
		return "", d.errorf("%s has a name that is not allowed: 'q_' is reserved", what)
	}
	return m[1], nil
}

// lowerName checks a name of the form lower-case-words. A permissive one may
// also hold upper case and '_'.
func (d *decl) lowerName(name, what string, permissive bool) *Error {
	return d.caseName(name, what, permissive, permissive)
}

func (d *decl) caseName(name, what string, permitUpper, permitUnderscore bool) *Error {
	stem, err := d.stem(name, what)
	if err != nil {
		return err
	}
	if d.era == eraWhitelists {
		permitUnderscore = true
	}
	if !permitUpper && strings.ContainsAny(stem, upperLetters) ||
		!permitUnderscore && strings.Contains(stem, "_") {
		return d.errorf("%s must be named in lower case, with '-' between words and not '_'", what)
	}
	return nil
}

// defName checks the name of the definition itself.
func (d *decl) defName() *Error {
	c := d.def.Def()
	kind := d.def.Kind()
	what := "the " + kind
	stem, err := d.stem(c.Name, what)
	if err != nil {
		return err
	}
	switch d.def.(type) {
	case *Event:
		if d.era > eraWhitelists && (strings.ContainsAny(stem, lowerLetters) || strings.Contains(stem, "-")) {
			return d.errorf("%s must be named in upper case, with '_' between words and not '-'", what)
		}
		return nil
	case *Command:
		return d.caseName(c.Name, what, d.era == eraWhitelists, d.exceptions.commandName[c.Name])
	}
	if d.era > eraWhitelists && !camelPattern.MatchString(stem) {
		return d.errorf("%s must be named in CamelCase", what)
	}
	if strings.HasSuffix(c.Name, "List") {
		return d.errorf("%s must not have a name that ends in 'List'", what)
	}
	if d.era == eraWhitelists {
		return d.reservedKind()
	}
	return nil
}

// reservedKind refuses a name of a type that the tag of a simple union could have, as
// all releases with simple unions do.
func (d *decl) reservedKind() *Error {
	if _, isType := d.def.(Type); isType && strings.HasSuffix(d.def.Def().Name, "Kind") {
		return d.errorf("the %s must not have a name that ends in 'Kind'", d.def.Kind())
	}
	return nil
}

package schema

import "regexp"

// An era is a form of the language. A schema does not say for which release it
// was written, but older ones show it by constructs that newer ones no longer
// have, and are then held to the rules of their time.
type era int

const (
	// Up to QEMU 5.2: pragmas that are called whitelists. Names may hold '_'
	// anywhere, conditions are C expressions, unions may be simple.
	eraWhitelists era = iota
	// Up to QEMU 8.2: documentation with sections such as "Note:" and
	// "Example:", which may leave members out. Releases up to 6.1 still have
	// C expressions and simple unions.
	eraSections
	// QEMU 9.0 and later.
	eraCurrent
)

var oldSection = regexp.MustCompile(`^(Notes?|Examples?):(\s|$)`)

// eraOf is the era that a documentation comment shows.
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

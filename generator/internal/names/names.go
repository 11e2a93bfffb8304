// Package names turns the names of a QAPI schema into Go names. All rules
// are here; the tables of this package list the exceptions.
package names

import (
	"strings"
	"unicode"
)

// Exported returns the exported Go name for a QAPI name of any kind except an event:
// query-cpus-fast gives QueryCPUsFast, VncInfo VNCInfo, and x86_64 X86_64. If the
// name does not begin with a letter, it gets an X at the front.
func Exported(name string) string {
	s := Suffix(name)
	if s == "" || !unicode.IsLetter(rune(s[0])) {
		return "X" + s
	}
	return s
}

// Suffix returns the Go name for a part that follows another name: an enum's value
// after the enum, a variant's tag after the union. It may begin with a digit.
func Suffix(name string) string {
	var b strings.Builder
	for _, part := range words(name) {
		b.WriteString(part.sep)
		b.WriteString(capitalize(part.word))
	}
	return b.String()
}

// Event returns the Go name for an event, which the schema writes in capitals:
// BLOCK_IO_ERROR gives BlockIOError.
func Event(name string) string { return Exported(strings.ToLower(name)) }

// File returns the name of the Go file for a module, such as qapi/block-core.json. It has
// only letters, digits, '_' and '.', which every system and the go command accept. With
// the suffix _gen, Go does not take an s390x at the end of the module's name for an
// architecture.
func File(module string) string {
	base := strings.TrimSuffix(module[strings.LastIndexByte(module, '/')+1:], ".json")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '.', '0' <= r && r <= '9', 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z':
			return r
		}
		return '_'
	}, base) + "_gen.go"
}

// A part is a word of a name, and the part of the separator before it that is kept.
type part struct{ sep, word string }

// words splits a name at -, _, ., space, and where the case shows that a word
// begins. An underscore between digits is kept, so that 2_5 does not become 25.
func words(name string) []part {
	var parts []part
	var word []rune
	sep := ""
	flush := func() {
		if len(word) > 0 {
			parts = append(parts, part{sep, string(word)})
			word, sep = nil, ""
		}
	}
	runes := []rune(name)
	for i, r := range runes {
		switch {
		case strings.ContainsRune("-_. ", r):
			flush()
			if r == '_' && digitAt(runes, i-1) && digitAt(runes, i+1) {
				sep = "_"
			}
			continue
		case unicode.IsUpper(r) && len(word) > 0 && wordBegins(runes, i):
			flush()
		}
		word = append(word, r)
	}
	flush()
	return parts
}

// wordBegins reports whether the capital at i begins a word: it follows a lower-case
// letter or a digit, or is the last of several capitals before a lower-case letter.
func wordBegins(runes []rune, i int) bool {
	if !unicode.IsUpper(runes[i-1]) {
		return true
	}
	return i+1 < len(runes) && unicode.IsLower(runes[i+1])
}

func digitAt(runes []rune, i int) bool {
	return i >= 0 && i < len(runes) && unicode.IsDigit(runes[i])
}

// capitalize returns a word as it is written in an exported name.
func capitalize(word string) string {
	lower := strings.ToLower(word)
	if s, ok := initialisms[lower]; ok {
		return s
	}
	if stem, ok := strings.CutSuffix(lower, "s"); ok && initialisms[stem] != "" {
		return initialisms[stem] + "s"
	}
	return strings.ToUpper(word[:1]) + word[1:]
}

package descriptions

import (
	"iter"
	"regexp"
	"slices"
	"strings"
)

// mention matches what may be the name of a command or an event: in brackets, or without.
var mention = regexp.MustCompile(`\[[A-Za-z][\w-]*\]|[A-Za-z][\w-]*\w`)

// continued matches what follows a name if the name is only a part of a longer one.
var continued = regexp.MustCompile(`^[.:]\w`)

// Link returns the descriptions with links to the Go names in place of the QAPI names of
// commands, events and types: goName returns the Go name for a QAPI name, or "". A name that
// cannot be another word, such as job-pause or STOP, is found without brackets; others, such
// as stop, must be in brackets.
func (all Descriptions) Link(goName func(qapi string) string) Descriptions {
	linked := Descriptions{}
	for name, d := range all {
		l := &Description{Text: link(d.Text, goName), Members: map[string]string{}, At: d.At}
		for member, text := range d.Members {
			l.Members[member] = link(text, goName)
		}
		linked[name] = l
	}
	return linked
}

func link(text string, goName func(qapi string) string) string {
	var b strings.Builder
	from := 0
	for m := range mentions(text) {
		if target := goName(m.name); target != "" {
			b.WriteString(text[from:m.start] + "[" + target + "]")
			from = m.end
		}
	}
	return b.String() + text[from:]
}

// Mentions returns the words of a text that may be names of commands, events or types, in
// their order, each once.
func Mentions(text string) []string {
	var names []string
	for m := range mentions(text) {
		if !slices.Contains(names, m.name) {
			names = append(names, m.name)
		}
	}
	return names
}

// Plain returns a text without the brackets around names.
func Plain(text string) string { return bracketed.ReplaceAllString(text, "$1") }

var bracketed = regexp.MustCompile(`\[([A-Za-z][\w-]*)\]`)

// A mentioned is a name and its place in a text.
type mentioned struct {
	name       string
	start, end int
}

// mentions returns the words of a text that may be names.
func mentions(text string) iter.Seq[mentioned] {
	return func(yield func(mentioned) bool) {
		for _, at := range mention.FindAllStringIndex(text, -1) {
			word := text[at[0]:at[1]]
			name := strings.Trim(word, "[]")
			if name == word && (!distinct(name) || !free(text[:at[0]], text[at[1]:])) {
				continue
			}
			if !yield(mentioned{name, at[0], at[1]}) {
				return
			}
		}
	}
}

// distinct reports whether a name cannot be an English word.
func distinct(name string) bool {
	return strings.ContainsAny(name, "-_") || len(name) >= 4 && strings.ToUpper(name) == name
}

// free reports whether the text between before and after is a word of its own, and
// not part of a path, an option or a link.
func free(before, after string) bool {
	const glue = "/-=[]"
	if before != "" && strings.ContainsAny(before[len(before)-1:], glue+".:") {
		return false
	}
	return after == "" || !strings.ContainsAny(after[:1], glue) && !continued.MatchString(after)
}

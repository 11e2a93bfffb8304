package emit

import (
	"go/build/constraint"
	"strings"
	"unicode"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// about is the comment of a declaration: what it is for, where it is from,
// when it exists, what to beware of, and where QEMU's manual has it. origin
// completes a sentence that begins with the Go name; a module, if it is given,
// ends it.
func about(name, origin string, f plan.Facts, module string, more ...string) []string {
	if module != "" {
		origin += " of " + module
	}
	var lines []string
	paragraph := func(text string) {
		if text == "" {
			return
		}
		if len(lines) > 0 {
			lines = append(lines, "//")
		}
		lines = append(lines, wrap(text)...)
	}
	if f.Text == "" {
		paragraph(name + " " + origin + ".")
	} else {
		for i, text := range strings.Split(f.Text, "\n\n") {
			if i == 0 {
				text = name + " " + text
			}
			paragraph(text)
		}
		paragraph("It " + origin + ".")
	}
	if f.Doc != "" {
		lines = append(lines, "//")
		lines = append(lines, markup(f.Doc)...)
	}
	for _, text := range more {
		paragraph(text)
	}
	paragraph(availability(f))
	if f.Unstable {
		paragraph("Unstable: QEMU may change it or take it away in any release.")
	}
	if f.Link != "" {
		lines = append(lines, "//", "// "+plain(f.Link))
	}
	if f.Deprecated {
		paragraph(deprecation(f))
	}
	return lines
}

// availability tells since when and under which condition something exists.
func availability(f plan.Facts) string {
	var parts []string
	switch {
	case f.In != "" && f.Since != "":
		parts = append(parts, "In QEMU "+f.In+", upstream since "+f.Since+".")
	case f.In != "":
		parts = append(parts, "In QEMU "+f.In+".")
	case f.Since != "":
		parts = append(parts, "Since QEMU "+f.Since+".")
	}
	if f.If != "" {
		parts = append(parts, "Only in builds with "+f.If+".")
	}
	if len(f.Features) > 0 {
		parts = append(parts, "Features: "+strings.Join(f.Features, ", ")+".")
	}
	return strings.Join(parts, " ")
}

// aside is the comment of a member or a value; none if there is nothing to
// tell beyond its name.
func aside(f plan.Facts) []string {
	var lines []string
	text := availability(f)
	if f.Unstable {
		text = strings.TrimSpace(text + " Unstable: QEMU may change it in any release.")
	}
	switch {
	case f.Doc != "":
		lines = markup(f.Doc)
		if text != "" {
			lines = append(lines, "//")
		}
	case f.Text != "":
		text = strings.TrimSpace(f.Text + " " + text)
	}
	if text != "" {
		lines = append(lines, wrap(text)...)
	}
	if f.Deprecated {
		if len(lines) > 0 {
			lines = append(lines, "//")
		}
		lines = append(lines, wrap(deprecation(f))...)
	}
	return lines
}

// eitherOf writes words as people do: a, b or c.
func eitherOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// deprecation is the paragraph by which tools know what should not be used.
func deprecation(f plan.Facts) string {
	if f.Instead == "" {
		return "Deprecated: QEMU means to remove it."
	}
	return "Deprecated: QEMU means to remove it; use " + f.Instead + "."
}

// wrap breaks a text into comment lines.
func wrap(text string) []string {
	const width = 80
	var lines []string
	line := "//"
	for _, word := range strings.Fields(plain(text)) {
		if len(line)+1+len(word) > width && line != "//" {
			lines = append(lines, noConstraint(line))
			line = "//"
		}
		line += " " + word
	}
	return append(lines, noConstraint(line))
}

// plain is a text without what Go does not take in a comment, and without invisible
// characters: some of them change the order in which a text is shown.
func plain(text string) string {
	text = strings.ReplaceAll(text, "\t", "        ")
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, text)
}

// noConstraint is a line of a comment that is no build constraint: gofmt would
// move one to the head of the file.
func noConstraint(line string) string {
	if constraint.IsPlusBuild(line) {
		return strings.Replace(line, "+build", `"+build"`, 1)
	}
	return line
}

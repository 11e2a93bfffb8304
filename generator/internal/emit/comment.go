package emit

import (
	"go/build/constraint"
	"strings"
	"unicode"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// about returns the comment of a declaration: its purpose, its name in QAPI and its place
// in QEMU's manual, the releases that have it, and warnings. origin completes a
// sentence that begins with the Go name, for a definition without a description.
func about(name, origin string, f plan.Facts, module string, more ...string) []string {
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
	text := f.Text
	if text == "" {
		text = origin + "."
	}
	for i, text := range strings.Split(text, "\n\n") {
		if i == 0 {
			text = name + " " + text
		}
		paragraph(text)
	}
	if f.Doc != "" {
		lines = append(lines, "//")
		lines = append(lines, markup(f.Doc)...)
	}
	for _, text := range more {
		paragraph(text)
	}
	if module != "" {
		lines = append(lines, "//", metadata(f, module))
	}
	paragraph(availability(f))
	if f.Deprecated || f.Gone != "" {
		paragraph(deprecation(f))
	}
	return lines
}

// metadata returns the line with the QAPI name of a definition, its module and its place in
// QEMU's manual.
func metadata(f plan.Facts, module string) string {
	line := "QAPI: " + f.Kind + " " + f.QAPI + " (" + module + ")"
	if f.Link != "" {
		line += ", " + f.Link
	}
	return "// " + plain(line)
}

// availability returns sentences about the releases and the condition in which something
// exists, and whether it may change.
func availability(f plan.Facts) string {
	var parts []string
	switch {
	case f.In != "":
		parts = append(parts, f.In+".")
	case f.Since != "":
		parts = append(parts, "Since QEMU "+f.Since+".")
	}
	if f.Only != "" {
		parts = append(parts, "Only "+f.Only+".")
	}
	if f.If != "" {
		parts = append(parts, "Only in builds with "+f.If+".")
	}
	if len(f.Features) > 0 {
		parts = append(parts, "Features: "+strings.Join(f.Features, ", ")+".")
	}
	if f.Unstable {
		parts = append(parts, "Unstable: QEMU may change or remove it in any release.")
	}
	return strings.Join(parts, " ")
}

// memberComment returns the comment of a member or a value; nil if its name says everything.
func memberComment(f plan.Facts) []string {
	var lines []string
	text := availability(f)
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
	if f.Deprecated || f.Gone != "" {
		if len(lines) > 0 {
			lines = append(lines, "//")
		}
		lines = append(lines, wrap(deprecation(f))...)
	}
	return lines
}

// eitherOf joins words for people: a, b or c.
func eitherOf(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// deprecation returns the paragraph by which tools recognise what should not be used.
func deprecation(f plan.Facts) string {
	text := "Deprecated: QEMU plans to remove it"
	if f.Gone != "" {
		text = "Deprecated: QEMU removed it " + f.Gone
	}
	switch {
	case strings.HasPrefix(f.Instead, "; "):
		text += f.Instead
	case f.Instead != "":
		text += "; use " + f.Instead
	}
	return text + "."
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

// plain returns a text without what Go does not allow in a comment, and without invisible
// characters, some of which change the order in which a text is shown.
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

// noConstraint changes a line of a comment so that it is not a build constraint: gofmt would
// move one to the beginning of the file.
func noConstraint(line string) string {
	if constraint.IsPlusBuild(line) {
		return strings.Replace(line, "+build", `"+build"`, 1)
	}
	return line
}

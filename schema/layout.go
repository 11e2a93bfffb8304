package schema

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

const maxDocLine = 70 // characters, including "# "

var (
	docURL       = regexp.MustCompile(`^ *(https?|ftp)://[^ ]*$`)
	docExample   = regexp.MustCompile(`^\.\. +qmp-example`)
	docSentences = regexp.MustCompile(`[.!?] [A-Z0-9(]`)
	docNumber    = regexp.MustCompile(`^ *\d\.$`)
	docForInst   = regexp.MustCompile(`\be\.g\.$`)
)

// checkLayout checks what documentation looks like: the length of lines and
// the space between sentences. Examples are free of these rules.
func (d *docComment) checkLayout() *Error {
	example, indent := false, 0
	for _, l := range d.lines {
		switch {
		case docExample.MatchString(l.text):
			example, indent = true, 0
		case example && l.text != "":
			cur := len(l.text) - len(strings.TrimLeft(l.text, " \t"))
			if indent == 0 {
				indent = cur
			}
			if cur < indent || cur == 0 {
				example = false
			}
		}
		if example {
			continue
		}
		if n := utf8.RuneCountInString(l.text) + len("# "); n > maxDocLine && !docURL.MatchString(l.text) {
			return d.errorf(l.line, 1, "the documentation line has %d characters; at most %d are allowed", n, maxDocLine)
		}
		for _, m := range docSentences.FindAllStringIndex(l.text, -1) {
			head := l.text[:m[0]+1]
			if docNumber.MatchString(head) || docForInst.MatchString(head) {
				continue
			}
			return d.errorf(l.line, utf8.RuneCountInString(head)+len("# ")+1, "two spaces are expected between sentences")
		}
	}
	return nil
}

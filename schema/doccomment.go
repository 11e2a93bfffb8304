package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// A docComment is a documentation comment: lines between two lines "##".
type docComment struct {
	pos     Pos
	from    []Pos // as in sourceFile
	lines   []docLine
	symbol  string // the definition that it documents; empty if it documents none
	dangles bool   // no definition follows

	// The parts that parse finds, for a comment with a symbol.
	body     docEntry
	members  docList
	features docList
	sections []*docEntry
}

// A docLine is one line of a comment, without "# ".
type docLine struct {
	line int
	text string
}

// A docEntry is the description of a member or a feature, or a section.
type docEntry struct {
	name  string // the name of what is described, or the section's tag; empty for plain text
	line  int
	lines []string
}

func (e *docEntry) append(line string) { e.lines = append(e.lines, line) }

// text returns the entry's text, without blank lines before and after it.
func (e *docEntry) text() string {
	return strings.TrimRight(strings.TrimLeft(strings.Join(e.lines, "\n"), "\n"), " \n")
}

// A docList holds descriptions, in order and by name.
type docList struct {
	entries []*docEntry
	byName  map[string]*docEntry
}

// scanDoc reads a documentation comment from its first "##", and the token
// after it.
func (l *lexer) scanDoc() (*docComment, *Error) {
	if l.text != "##" {
		return nil, l.errorf(l.at, "a line that begins a documentation comment must hold nothing but '##'")
	}
	d := &docComment{pos: Pos{File: l.file, Line: l.line}}
	for {
		if err := l.nextLine(); err != nil {
			return nil, err
		}
		switch {
		case l.tok != tokComment:
			return nil, l.errorf(l.at, "the documentation comment is not closed with '##'")
		case l.text == "##":
			return d, l.next()
		case strings.HasPrefix(l.text, "##"):
			return nil, l.errorf(l.at, "a line that ends a documentation comment must hold nothing but '##'")
		case l.text == "#":
			d.lines = append(d.lines, docLine{line: l.line})
			continue
		case l.text[1] != ' ':
			return nil, l.errorf(l.at, "a space is expected after '#' in a documentation comment")
		}
		text := strings.TrimRight(l.text[2:], " \t\r\f\v")
		if len(d.lines) == 0 && strings.HasPrefix(text, "@") {
			if !strings.HasSuffix(text, ":") {
				return nil, l.errorf(l.at, "the line that names the definition must end with ':'")
			}
			d.symbol = text[1 : len(text)-1]
			if d.symbol == "" {
				return nil, l.errorf(l.at, "a name is expected after '@'")
			}
		}
		d.lines = append(d.lines, docLine{l.line, text})
	}
}

var (
	docName = regexp.MustCompile(`^@([^:]*): *`)
	// Tags with two colons are markup of another kind.
	docTag     = regexp.MustCompile(`^(Returns|Errors|Since|TODO):(?:[^:]|$) *`)
	oldDocName = regexp.MustCompile(`^@([^\s:]*):\s*`)
	oldDocTag  = regexp.MustCompile(`^(Returns|Since|Notes?|Examples?|TODO|Errors):\s*`)
)

func (d *docComment) errorf(line, col int, format string, args ...any) *Error {
	return &Error{Pos: Pos{d.pos.File, line, col}, Msg: fmt.Sprintf(format, args...)}
}

// parse finds the comment's parts, by the rules of the era.
func (d *docComment) parse(e era) *Error {
	if d.symbol == "" {
		return d.checkFreeForm(e)
	}
	if e <= eraSections {
		return d.parseOld()
	}
	p := &docParser{docComment: d, i: 1}
	if err := p.parse(); err != nil {
		return err
	}
	return d.checkSections()
}

func (d *docComment) checkFreeForm(e era) *Error {
	for _, line := range d.lines {
		if m := docName.FindStringSubmatch(line.text); m != nil && e > eraSections {
			return d.errorf(line.line, 1, "'@%s:' is not allowed in documentation that is not about a definition", m[1])
		}
	}
	return nil
}

// checkSections checks the tagged sections: that some occur only once, and that none is
// empty.
func (d *docComment) checkSections() *Error {
	seen := make(map[string]bool)
	for _, s := range d.sections {
		if s.name == "" {
			continue
		}
		if seen[s.name] && s.name != "TODO" {
			return d.errorf(s.line, 0, "there is more than one section '%s:'", s.name)
		}
		seen[s.name] = true
		if strings.TrimSpace(s.text()) == "" {
			return d.errorf(s.line, 0, "the section '%s:' is empty", s.name)
		}
	}
	return nil
}

// entry adds a description to one of the comment's lists, in which a name may
// be only once.
func (d *docComment) entry(list *docList, name string, line int, what string) (*docEntry, *Error) {
	if name == "" {
		return nil, d.errorf(line, 0, "a %s's name is expected after '@'", what)
	}
	if list.byName[name] != nil {
		return nil, d.errorf(line, 0, "the %s '%s' is documented twice", what, name)
	}
	if list.byName == nil {
		list.byName = make(map[string]*docEntry)
	}
	e := &docEntry{name: name, line: line}
	list.entries = append(list.entries, e)
	list.byName[name] = e
	return e, nil
}

// A docParser reads a comment as QEMU 9.0 and later have it: paragraphs of
// which some begin descriptions or sections, whose further lines are indented.
type docParser struct {
	*docComment
	i int // the next line
}

func (p *docParser) more() bool   { return p.i < len(p.lines) }
func (p *docParser) text() string { return p.lines[p.i].text }
func (p *docParser) line() int    { return p.lines[p.i].line }

func (p *docParser) skipBlank() {
	for p.more() && p.text() == "" {
		p.i++
	}
}

func (p *docParser) parse() *Error {
	noMembers := false // a member can no longer be described
	for p.skipBlank(); p.more(); p.skipBlank() {
		text := p.text()
		if text == "Features:" {
			if len(p.features.entries) > 0 {
				return p.errorf(p.line(), 1, "there is more than one line 'Features:'")
			}
			p.i++
			p.skipBlank()
			if err := p.descriptions(&p.features, "feature"); err != nil {
				return err
			}
			if len(p.features.entries) == 0 {
				line := p.lines[p.i-1].line + 1
				if p.more() {
					line = p.line()
				}
				return p.errorf(line, 1, "descriptions of features are expected after 'Features:'")
			}
			noMembers = true
		} else if m := docName.FindStringSubmatch(text); m != nil {
			if noMembers {
				return p.errorf(p.line(), 1, "the description of '%s' comes after a section", m[1])
			}
			if err := p.descriptions(&p.members, "member"); err != nil {
				return err
			}
			noMembers = true
		} else if m := docTag.FindStringSubmatch(text); m != nil {
			s := &docEntry{name: m[1], line: p.line()}
			p.sections = append(p.sections, s)
			if rest := strings.TrimLeft(text[len(m[1])+1:], " "); rest != "" {
				s.append(rest)
			}
			if err := p.indented(s); err != nil {
				return err
			}
			noMembers = true
		} else if strings.HasPrefix(text, "=") {
			return p.errorf(p.line(), 1, "a heading is not allowed in the documentation of a definition")
		} else {
			p.paragraph()
		}
	}
	return nil
}

// descriptions reads entries such as "@name: text" until there are no more.
func (p *docParser) descriptions(list *docList, what string) *Error {
	for p.more() {
		m := docName.FindStringSubmatch(p.text())
		if m == nil {
			return nil
		}
		e, err := p.entry(list, m[1], p.line(), what)
		if err != nil {
			return err
		}
		if rest := p.text()[len(m[0]):]; rest != "" {
			e.append(rest)
		}
		if err := p.indented(e); err != nil {
			return err
		}
	}
	return nil
}

// indented appends the indented lines after the current one to e.
func (p *docParser) indented(e *docEntry) *Error {
	p.i++
	indent := 0
	for ; p.more(); p.i++ {
		text := p.text()
		if text == "" {
			e.append("")
			continue
		}
		cur := len(text) - len(strings.TrimLeft(text, " \t"))
		switch {
		case indent == 0 && cur > 0:
			indent = cur
		case indent == 0 || docName.MatchString(text):
			return nil
		case cur < indent:
			if p.lines[p.i-1].text == "" {
				return nil
			}
			return p.errorf(p.line(), 1, "the line is indented by less than the %d spaces of the text above", indent)
		}
		e.append(text)
	}
	return nil
}

// paragraph reads plain text up to a blank line: into the body, or after
// descriptions and sections into one without a tag.
func (p *docParser) paragraph() {
	e := &p.body
	if len(p.members.entries)+len(p.features.entries)+len(p.sections) > 0 {
		if n := len(p.sections); n == 0 || p.sections[n-1].name != "" {
			p.sections = append(p.sections, &docEntry{line: p.line()})
		}
		e = p.sections[len(p.sections)-1]
	}
	if len(e.lines) > 0 {
		e.append("")
	}
	for ; p.more() && p.text() != ""; p.i++ {
		e.append(p.text())
	}
}

// parseOld reads a comment as releases before QEMU 9.0 have it: any line can begin a
// description or a section, and indentation has little meaning.
func (d *docComment) parseOld() *Error {
	cur := &d.body
	inFeatures := false
	for _, line := range d.lines[1:] {
		text := line.text
		if text == "Features:" {
			inFeatures = true
			continue
		}
		if m := oldDocName.FindStringSubmatch(text); m != nil && (len(d.sections) == 0 || inFeatures) {
			list, what := &d.members, "member"
			if inFeatures {
				list, what = &d.features, "feature"
			}
			e, err := d.entry(list, m[1], line.line, what)
			if err != nil {
				return err
			}
			e.append(text[len(m[0]):])
			cur = e
			continue
		}
		m := oldDocTag.FindStringSubmatch(text)
		if m == nil && sinceLine.MatchString(text) { // the colon was forgotten
			m = []string{"Since", "Since"}
		}
		if m != nil {
			inFeatures = false
			cur = &docEntry{name: m[1], line: line.line}
			cur.append(text[len(m[0]):])
			d.sections = append(d.sections, cur)
			continue
		}
		cur.append(text)
	}
	return nil
}

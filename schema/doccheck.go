package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// A Doc is the text of a definition's documentation, as it is in the schema:
// reStructuredText, or in old releases something like Texinfo.
type Doc struct {
	Body string
	// Members and Features have the descriptions, by name. A union's branches have
	// none; Features also has the features of members.
	Members, Features map[string]string
	// Sections follow in the order of the schema.
	Sections []DocSection
}

// A DocSection is what follows the descriptions.
type DocSection struct {
	Tag  string // "Returns", "Errors", "Since", "TODO", in old releases also "Note", "Example" and their plurals; empty for plain text
	Text string
}

var (
	sinceVersion = regexp.MustCompile(`^\s*v?(\d+\.\d+(?:\.\d+)?)`)
	sinceLine    = regexp.MustCompile(`(?m)^[Ss]ince:?\s+v?(\d+\.\d+(?:\.\d+)?)\.?$`)
	sinceInline  = regexp.MustCompile(`\b[Ss]ince:?\s+(?:QEMU\s+|v)?(\d+\.\d+(?:\.\d+)?)`)
)

// inlineSince returns the release that a description says its subject is from, or empty.
// The description says it in parentheses, "(since 2.4)", "(default: on; since 2.4)", or in
// its first or last words. Other mentions, such as "deprecated since 6.0" or "since 2.7 it
// can have other values", are about something else.
func inlineSince(text string) string {
	text = strings.TrimRight(strings.TrimSpace(text), ".)")
	inParens, seen := false, 0 // the offset up to which inParens was computed
	for _, m := range sinceInline.FindAllStringSubmatchIndex(text, -1) {
		if i := strings.LastIndexAny(text[seen:m[0]], "()"); i >= 0 {
			inParens = text[seen+i] == '('
		}
		seen = m[0]
		before := strings.TrimSpace(text[:m[0]])
		if before != "" && !strings.ContainsAny(before[len(before)-1:], "(,;:.") {
			continue
		}
		if before == "" || inParens || m[1] == len(text) {
			return release(text[m[2]:m[3]])
		}
	}
	return ""
}

// since returns the release in the section "Since:", or in a line that was meant to be such a section.
func (d *docComment) since() string {
	plain := []string{d.body.text()}
	for _, s := range d.sections {
		switch s.name {
		case "Since":
			if m := sinceVersion.FindStringSubmatch(s.text()); m != nil {
				return release(m[1])
			}
		case "":
			plain = append(plain, s.text())
		}
	}
	if m := sinceLine.FindStringSubmatch(strings.Join(plain, "\n")); m != nil {
		return release(m[1])
	}
	return ""
}

// release returns a version as releases are named: the first of a series has no ".0".
func release(version string) string {
	if strings.Count(version, ".") == 2 {
		return strings.TrimSuffix(version, ".0")
	}
	return version
}

// A docTarget is something that "@name:" can describe.
type docTarget struct {
	name  string
	since *string
}

// applyDocs checks the documentation against the definitions, and takes the
// facts from it.
func (l *loader) applyDocs() {
	for _, d := range l.decls {
		if d.doc != nil {
			l.fail(d.applyDoc(l.keepDocs))
		}
	}
}

func (d *decl) applyDoc(keep bool) *Error {
	members := make(map[string]bool)
	for _, t := range docMembers(d.def) {
		members[t.name] = true
		e := d.doc.members.byName[t.name]
		if e == nil {
			if d.era > eraSections && !d.exceptions.documentation[d.doc.symbol] {
				return d.errorf("'%s' is not documented", t.name)
			}
			continue
		}
		*t.since = inlineSince(e.text())
	}
	features := make(map[string]bool)
	for _, f := range d.features {
		features[f.Name] = true
		e := d.doc.features.byName[f.Name]
		if e == nil {
			return d.errorf("the feature '%s' is not documented", f.Name)
		}
		f.Since = inlineSince(e.text())
	}
	if err := d.surplusDocs("member", d.doc.members.entries, members); err != nil {
		return err
	}
	if err := d.surplusDocs("feature", d.doc.features.entries, features); err != nil {
		return err
	}
	if err := d.commandDocs(); err != nil {
		return err
	}
	d.def.Def().Since = d.doc.since()
	if keep {
		d.def.Def().Doc = d.doc.public()
	}
	return nil
}

// docMembers returns what the documentation of a definition describes.
func docMembers(def Definition) []docTarget {
	var targets []docTarget
	switch def := def.(type) {
	case *Enum:
		for _, v := range def.Values {
			targets = append(targets, docTarget{v.Name, &v.Since})
		}
	case *Alternate:
		for _, b := range def.Branches {
			targets = append(targets, docTarget{b.Name, &b.Since})
		}
	}
	for _, m := range ownMembers(def) {
		targets = append(targets, docTarget{m.Name, &m.Since})
	}
	return targets
}

// ownMembers returns the members that a definition lists itself, without those of a
// named type.
func ownMembers(def Definition) []*Member {
	var t Type
	switch def := def.(type) {
	case *Struct:
		return def.Members
	case *Union:
		t = def.Base
	case *Command:
		t = def.Args
	case *Event:
		t = def.Data
	}
	if s, ok := t.(*Struct); ok && s.Implicit {
		return s.Members
	}
	return nil
}

// surplusDocs reports descriptions of members or features that do not exist.
func (d *decl) surplusDocs(what string, entries []*docEntry, known map[string]bool) *Error {
	var names []string
	var err *Error
	for _, e := range entries {
		if known[e.name] {
			continue
		}
		names = append(names, e.name)
		if err == nil {
			err = d.docErrorf(e, "the %s '%s' is documented but does not exist", what, e.name)
		}
	}
	if len(names) > 1 {
		err.Msg = fmt.Sprintf("the %ss '%s' are documented but do not exist", what, strings.Join(names, "', '"))
	}
	return err
}

// commandDocs reports sections that only some definitions can have.
func (d *decl) commandDocs() *Error {
	cmd, isCommand := d.def.(*Command)
	for _, s := range d.doc.sections {
		switch {
		case s.name != "Returns" && s.name != "Errors":
		case !isCommand:
			return d.docErrorf(s, "only a command can have the section '%s:'", s.name)
		case s.name == "Returns" && cmd.Returns == nil && d.era > eraSections:
			return d.docErrorf(s, "there is a section 'Returns:', but the command returns nothing")
		}
	}
	return nil
}

// docErrorf returns an error of the definition, at a line of its documentation.
func (d *decl) docErrorf(e *docEntry, format string, args ...any) *Error {
	err := d.errorf(format, args...)
	err.Pos.Line = e.line
	return err
}

func (d *docComment) public() *Doc {
	texts := func(list docList) map[string]string {
		m := make(map[string]string, len(list.entries))
		for _, e := range list.entries {
			m[e.name] = e.text()
		}
		return m
	}
	doc := &Doc{Body: d.body.text(), Members: texts(d.members), Features: texts(d.features)}
	for _, s := range d.sections {
		doc.Sections = append(doc.Sections, DocSection{s.name, s.text()})
	}
	return doc
}

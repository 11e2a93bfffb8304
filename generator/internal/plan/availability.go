package plan

import (
	"regexp"
	"strings"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/generator/internal/names"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/merge"
)

// Availability returns what comments say about releases, by QAPI names. It lists the
// definitions on the wire, and their parts, that some releases lack or that are
// deprecated, and the types that have another name in older releases.
func Availability(m *merge.Merged) descriptions.Releases {
	all := descriptions.Releases{}
	h := history{m}
	add := func(name string, f Facts, instead string) {
		if r := (descriptions.Release{In: f.In, Gone: f.Gone, Instead: instead}); r != (descriptions.Release{}) {
			all[name] = r
		}
	}
	for _, def := range m.Definitions() {
		c := def.Def()
		if h.OnWire(def) {
			f := Facts{Since: c.Since}
			h.say(&f, h.Has(def), h.all())
			add(c.Name, f, qapiWords(m, def, replacements[c.Name]))
		}
		since := sinceOf(def)
		for _, part := range partsWithInherited(def) {
			f := Facts{Since: since[part]}
			h.say(&f, h.Part(def, part), h.Has(def))
			add(c.Name+"/"+part, f, qapiWords(m, def, replacementOf(def, part)))
		}
	}
	for _, alias := range m.Aliases {
		if now, ok := alias.Now.(schema.Definition); ok && alias.Old != "" {
			all[alias.Old] = descriptions.Release{Now: now.Def().Name}
		}
	}
	return all
}

// partsWithInherited returns the parts of a definition and of those that it inherits from.
func partsWithInherited(def schema.Definition) []string {
	var parts []string
	for ; def != nil; def = schema.Inherited(def) {
		parts = append(parts, schema.Parts(def)...)
	}
	return parts
}

// sinceOf returns the releases that the schema names for the parts of a definition.
func sinceOf(def schema.Definition) map[string]string {
	since := map[string]string{}
	members := func(t schema.Type) {
		switch t := t.(type) {
		case *schema.Struct:
			for _, m := range t.AllMembers() {
				since[m.Name] = m.Since
			}
		case *schema.Union:
			for _, m := range t.Base.AllMembers() {
				since[m.Name] = m.Since
			}
		}
	}
	switch d := def.(type) {
	case *schema.Enum:
		for _, v := range d.Values {
			since[v.Name] = v.Since
		}
	case *schema.Alternate:
		for _, b := range d.Branches {
			since[b.Name] = b.Since
		}
	case *schema.Command:
		members(d.Args)
	case *schema.Event:
		members(d.Data)
	case schema.Type:
		members(d)
	}
	return since
}

// goMethod matches a Go name in a replacement.
var goMethod = regexp.MustCompile(`\[Client\.(\w+)\]`)

// qapiWords returns a replacement with QAPI names instead of Go names.
func qapiWords(m *merge.Merged, of schema.Definition, text string) string {
	text = goMethod.ReplaceAllStringFunc(text, func(link string) string {
		for _, c := range m.Commands() {
			if "[Client."+names.Exported(c.Name)+"]" == link {
				return c.Name
			}
		}
		return link
	})
	for _, part := range partsWithInherited(of) {
		text = regexp.MustCompile(`\b`+names.Exported(part)+`\b`).ReplaceAllLiteralString(text, part)
	}
	return strings.TrimSpace(text)
}

package describe

import (
	"slices"
	"strings"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/schema"
)

// factsOf returns what the schema says about something.
func factsOf(features []*schema.Feature, cond *schema.Cond) Facts {
	f := Facts{If: condition(cond)}
	for _, feature := range features {
		switch feature.Name {
		case "deprecated":
			f.Deprecated = true
		case "unstable":
			f.Unstable = true
		default:
			f.Features = append(f.Features, feature.Name)
		}
	}
	return f
}

// condition returns a condition as text, such as "CONFIG_LINUX and not CONFIG_BSD".
func condition(c *schema.Cond) string {
	join := func(list []*schema.Cond, word string) string {
		var parts []string
		for _, c := range list {
			part := condition(c)
			if c.Symbol == "" && c.Not == nil {
				part = "(" + part + ")"
			}
			parts = append(parts, part)
		}
		return strings.Join(parts, " "+word+" ")
	}
	switch {
	case c == nil:
		return ""
	case c.All != nil:
		return join(c.All, "and")
	case c.Any != nil:
		return join(c.Any, "or")
	case c.Not != nil:
		return "not " + join([]*schema.Cond{c.Not}, "")
	}
	return c.Symbol
}

// today returns the newest name of a definition: some types had another one.
func (b *book) today(name string) string {
	if now := b.releases[name].Now; now != "" {
		return now
	}
	return name
}

// whole adds what we know about a definition.
func (b *book) whole(f *Facts, def schema.Definition) {
	name := b.today(def.Def().Name)
	f.add(b.releases[name])
	if d := b.texts[name]; d != nil {
		f.Text = descriptions.Plain(d.Text)
	}
}

// part adds what we know about a part of a definition, own or inherited.
func (b *book) part(f *Facts, owner schema.Definition, name string) {
	for of := owner; of != nil; of = schema.Inherited(of) {
		def := b.today(of.Def().Name)
		f.add(b.releases[def+"/"+name])
		if d := b.texts[def]; d != nil && f.Text == "" {
			f.Text = descriptions.Plain(d.Members[name])
		}
	}
}

func (b *book) valueFacts(enum schema.Definition, v *schema.EnumValue) Facts {
	f := factsOf(v.Features, v.If)
	b.part(&f, enum, v.Name)
	return f
}

// add adds what we know about releases, unless something more specific was added before.
func (f *Facts) add(r descriptions.Release) {
	if f.Releases == "" {
		f.Releases, f.Gone = r.In, r.Gone
	}
	if f.Instead == "" {
		f.Instead = r.Instead
	}
}

// links adds the names that a description mentions, and for an event the commands whose
// descriptions mention it.
func (b *book) links(e *Entry, d *descriptions.Description) {
	if d != nil {
		b.mentions(e, d.Text)
	}
	if e.Kind != "event" {
		return
	}
	for _, c := range b.Commands() {
		if about := b.texts[c.Name]; about != nil && slices.Contains(descriptions.Mentions(about.Text), e.Name) && !slices.Contains(e.Related, c.Name) {
			e.Related = append(e.Related, c.Name)
		}
	}
}

// mentions adds the names that a text mentions.
func (b *book) mentions(e *Entry, text string) {
	for _, name := range descriptions.Mentions(text) {
		switch b.Lookup(name).(type) {
		case nil:
		case *schema.Event:
			if name != e.Name && !slices.Contains(e.Events, name) {
				e.Events = append(e.Events, name)
			}
		default:
			if name != e.Name && !slices.Contains(e.Related, name) {
				e.Related = append(e.Related, name)
			}
		}
	}
}

package describe

import (
	"slices"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/schema"
)

// factsOf returns what the schema says about something.
func factsOf(features []*schema.Feature, cond *schema.Cond) Facts {
	f := Facts{If: cond.String()}
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

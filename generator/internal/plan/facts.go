package plan

import (
	"path"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// The pages of QEMU's manual that document the two schemas.
const (
	qmpManual   = "https://www.qemu.org/docs/master/interop/qemu-qmp-ref.html"
	agentManual = "https://www.qemu.org/docs/master/interop/qemu-ga-ref.html"
)

// manualSections are the modules whose definitions the manual has in another
// module's section: block.json is documented as the end of block-core.json.
var manualSections = map[string]string{"block": "block-core"}

// factsOf returns the facts of a definition.
func (b *builder) factsOf(def schema.Definition) Facts {
	c := def.Def()
	f := facts(c.Name, c.Since, c.If, c.Features)
	f.Kind = def.Kind()
	f.Instead = b.instead(def, "")
	switch {
	case b.history.OnWire(def):
		b.history.say(&f, b.history.Has(def), b.history.all())
	case b.history.known(): // the releases of its name may be those of another definition
		f.Since = ""
	}
	if d := b.descriptions[c.Name]; d != nil {
		f.Text = d.Text
	}
	if c.Doc != nil {
		f.Doc = docText(c.Doc)
	}
	if newest := b.history.Newest.Lookup(c.Name); newest != nil && newest.Kind() == def.Kind() {
		f.Link = b.pkg.Manual + "#" + b.anchor(newest)
	}
	return f
}

// anchor returns the manual's anchor for a definition: kind, schema, module and name.
func (b *builder) anchor(def schema.Definition) string {
	kind := def.Kind()
	if kind == "struct" || kind == "union" {
		kind = "object"
	}
	c := def.Def()
	section := strings.TrimSuffix(path.Base(c.Module.Path), ".json")
	if other, ok := manualSections[section]; ok {
		section = other
	}
	return kind + "-" + b.pkg.ManualPrefix + "-" + section + "." + c.Name
}

// partOf adds to the facts of a part what its definition knows about it: which releases
// have the part, if they are not those of the definition, and the documentation.
func (b *builder) partOf(owner schema.Definition, f Facts) Facts {
	b.history.say(&f, b.history.Part(owner, f.QAPI), b.history.Has(owner))
	f.Instead = b.instead(owner, f.QAPI)
	f.Text = b.descriptions.Member(owner, f.QAPI)
	f.Doc = memberDoc(owner, f.QAPI)
	return f
}

func facts(name, since string, cond *schema.Cond, features []*schema.Feature) Facts {
	f := Facts{QAPI: name, Since: since, If: cond.String()}
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

// quoted returns the name of a definition for messages: command 'eject'.
func quoted(def schema.Definition) string {
	return def.Kind() + " '" + def.Def().Name + "'"
}

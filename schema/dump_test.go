package schema_test

import (
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// A dumper writes a model as QEMU's test suite does.
type dumper struct {
	entities map[string][]string
	cur      string
	since    bool // set to write releases as well
}

func dump(s *schema.Schema) map[string][]string { return dumpWith(s, false) }

// dumpAll returns a dump of the whole model, including modules and releases.
func dumpAll(s *schema.Schema) map[string][]string {
	entities := dumpWith(s, true)
	var order []string
	for _, m := range s.Modules {
		order = append(order, m.Path)
		var lines []string
		for _, inc := range m.Includes {
			lines = append(lines, "include "+inc.Path)
		}
		for _, def := range m.Definitions {
			lines = append(lines, def.Kind()+" "+def.Def().Name)
		}
		entities["module "+m.Path] = lines
	}
	entities["modules"] = order
	entities["pragmas"] = []string{
		fmt.Sprint(s.Pragmas.CommandNameExceptions), fmt.Sprint(s.Pragmas.CommandReturnsExceptions),
		fmt.Sprint(s.Pragmas.MemberNameExceptions),
	}
	return entities
}

func dumpWith(s *schema.Schema, since bool) map[string][]string {
	d := &dumper{since: since, entities: map[string][]string{
		"object q_empty": nil,
		"enum QType":     {"member none", "member qnull", "member qnum", "member qstring", "member qdict", "member qlist", "member qbool"},
	}}
	for _, def := range s.Definitions() {
		d.definition(def)
	}
	return d.entities
}

func (d *dumper) begin(format string, args ...any) {
	d.cur = fmt.Sprintf(format, args...)
	d.entities[d.cur] = nil
}

func (d *dumper) add(format string, args ...any) {
	d.entities[d.cur] = append(d.entities[d.cur], fmt.Sprintf(format, args...))
}

func (d *dumper) definition(def schema.Definition) {
	c := def.Def()
	switch def := def.(type) {
	case *schema.Enum:
		d.begin("enum %s", c.Name)
		if def.Prefix != "" {
			d.add("prefix %s", def.Prefix)
		}
		for _, v := range def.Values {
			d.add("member %s", v.Name)
			d.release("    ", v.Since)
			d.marks("    ", v.If, v.Features)
		}
	case *schema.Struct:
		d.begin("object %s", c.Name)
		if def.Base != nil {
			d.add("base %s", def.Base.Name)
		}
		d.members(def.Members)
	case *schema.Union:
		base := def.Base.Name
		if def.Base.Implicit {
			base = "q_obj_" + c.Name + "-base"
			d.begin("object %s", base)
			d.members(def.Base.Members)
			d.marks("", c.If, nil)
		}
		d.begin("object %s", c.Name)
		d.add("base %s", base)
		d.add("tag %s", def.Discriminator.Name)
		listed := make(map[string]bool)
		for _, b := range def.Branches {
			listed[b.Name] = true
			if def.Simple {
				d.members(b.Type.(*schema.Struct).Members)
			}
			d.add("case %s: %s", b.Name, typeName(b.Type))
			d.marks("    ", b.If, nil)
		}
		for _, v := range def.Tag().Values {
			if !listed[v.Name] {
				d.add("case %s: q_empty", v.Name)
				d.marks("    ", v.If, nil)
			}
		}
	case *schema.Alternate:
		d.begin("alternate %s", c.Name)
		d.add("tag type")
		for _, b := range def.Branches {
			d.add("case %s: %s", b.Name, typeName(b.Type))
			d.release("    ", b.Since)
			d.marks("    ", b.If, nil)
		}
	case *schema.Command:
		args := d.arguments(c, def.Args)
		d.begin("command %s %s -> %s", c.Name, args, typeName(def.Returns))
		flags := fmt.Sprintf("gen=%s success_response=%s boxed=%s oob=%s preconfig=%s",
			pyBool(def.Gen), pyBool(def.SuccessResponse), pyBool(def.Boxed), pyBool(def.AllowOOB), pyBool(def.AllowPreconfig))
		if def.Coroutine {
			flags += " coroutine=True"
		}
		d.add("%s", flags)
	case *schema.Event:
		args := d.arguments(c, def.Data)
		d.begin("event %s %s", c.Name, args)
		d.add("boxed=%s", pyBool(def.Boxed))
	}
	d.marks("", c.If, c.Features)
	d.release("", c.Since)
}

func (d *dumper) release(indent, since string) {
	if d.since && since != "" {
		d.add("%ssince %s", indent, since)
	}
}

func (d *dumper) members(members []*schema.Member) {
	for _, m := range members {
		d.add("member %s: %s optional=%s", m.Name, typeName(m.Type), pyBool(m.Optional))
		d.release("    ", m.Since)
		d.marks("    ", m.If, m.Features)
	}
}

func (d *dumper) marks(indent string, cond *schema.Cond, features []*schema.Feature) {
	if cond != nil {
		text := pyCond(cond)
		d.add("%sif %s", indent, strings.Trim(text, "'"))
	}
	for _, f := range features {
		d.add("%sfeature %s", indent, f.Name)
		d.release(indent+"    ", f.Since)
		if f.If != nil {
			d.marks(indent+"    ", f.If, nil)
		}
	}
}

func (d *dumper) arguments(c *schema.Common, t schema.Type) string {
	s, ok := t.(*schema.Struct)
	if !ok || !s.Implicit {
		return typeName(t)
	}
	name := "q_obj_" + c.Name + "-arg"
	d.begin("object %s", name)
	d.members(s.Members)
	d.marks("", c.If, nil)
	return name
}

func typeName(t schema.Type) string {
	switch t := t.(type) {
	case nil:
		return "None"
	case *schema.Array:
		return t.Elem.TypeName() + "List"
	default:
		return t.TypeName()
	}
}

func pyBool(b bool) string {
	if b {
		return "True"
	}
	return "False"
}

// pyCond writes a condition as Python prints it.
func pyCond(c *schema.Cond) string {
	list := func(conds []*schema.Cond) string {
		parts := make([]string, len(conds))
		for i, c := range conds {
			parts[i] = pyCond(c)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	switch {
	case c.Not != nil:
		return "{'not': " + pyCond(c.Not) + "}"
	case c.All != nil:
		return "{'all': " + list(c.All) + "}"
	case c.Any != nil:
		return "{'any': " + list(c.Any) + "}"
	default:
		return "'" + c.Symbol + "'"
	}
}

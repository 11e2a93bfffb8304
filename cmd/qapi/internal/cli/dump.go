package cli

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/schema"
)

// dumpCommand writes a schema's model as JSON.
func (a *app) dumpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dump WHAT",
		Short: "Write a schema's model as JSON",
		Long:  "Writes the model of a schema as JSON: an object with the files and the definitions.\n\n" + whatHelp,
		Args:  count(1, 1),
	}
	root := cmd.Flags().String("root", "", "the `folder` that a file's includes may reach")
	agent := cmd.Flags().Bool("qga", false, "of a folder or a release, the guest agent's schema instead of QMP's")
	docs := cmd.Flags().Bool("docs", false, "with the text of documentation comments")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var opts []schema.Option
		if *docs {
			opts = append(opts, schema.KeepDocs())
		}
		return a.dump(args[0], *root, *agent, opts)
	}
	return cmd
}

func (a *app) dump(what, root string, agent bool, opts []schema.Option) error {
	src, err := openSource(what, root)
	if err != nil {
		return err
	}
	defer src.close()
	path := src.roots[0]
	if agent {
		if path = facts.QGA; !slices.Contains(src.roots, path) {
			return fmt.Errorf("%s holds no schema of the guest agent", src.name)
		}
	}
	s, err := src.load(path, opts...)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(model(s), "", "  ")
	if err != nil {
		return fmt.Errorf("dump: %w", err)
	}
	_, err = fmt.Fprintf(a.out, "%s\n", text)
	return err
}

// The model in JSON. Absent members are empty, false, or mean "always".
type (
	jsonSchema struct {
		Modules     []jsonModule     `json:"modules"`
		Definitions []jsonDefinition `json:"definitions"`
	}
	jsonModule struct {
		Path     string   `json:"path"`
		Includes []string `json:"includes,omitempty"`
	}
	jsonDefinition struct {
		Kind     string        `json:"kind"`
		Name     string        `json:"name"`
		File     string        `json:"file"`
		Line     int           `json:"line"`
		Since    string        `json:"since,omitempty"`
		If       any           `json:"if,omitempty"`
		Features []jsonFeature `json:"features,omitempty"`
		Doc      *schema.Doc   `json:"doc,omitempty"`

		Prefix        string     `json:"prefix,omitempty"`        // enum
		Values        []jsonPart `json:"values,omitempty"`        // enum
		Base          string     `json:"base,omitempty"`          // struct, union: a named one
		Members       []jsonPart `json:"members,omitempty"`       // struct; union, command, event: in place
		Discriminator string     `json:"discriminator,omitempty"` // union
		Simple        bool       `json:"simple,omitempty"`        // union
		Branches      []jsonPart `json:"branches,omitempty"`      // union, alternate
		Data          string     `json:"data,omitempty"`          // command, event: a named type
		Returns       string     `json:"returns,omitempty"`       // command
		Flags         []string   `json:"flags,omitempty"`         // command, event
	}
	// A jsonPart is a value, a member or a branch.
	jsonPart struct {
		Name     string        `json:"name"`
		Type     string        `json:"type,omitempty"`
		Optional bool          `json:"optional,omitempty"`
		Since    string        `json:"since,omitempty"`
		If       any           `json:"if,omitempty"`
		Features []jsonFeature `json:"features,omitempty"`
	}
	jsonFeature struct {
		Name  string `json:"name"`
		Since string `json:"since,omitempty"`
		If    any    `json:"if,omitempty"`
	}
)

func model(s *schema.Schema) jsonSchema {
	var out jsonSchema
	for _, m := range s.Modules {
		j := jsonModule{Path: m.Path}
		for _, inc := range m.Includes {
			j.Includes = append(j.Includes, inc.Path)
		}
		out.Modules = append(out.Modules, j)
	}
	for _, def := range s.Definitions() {
		out.Definitions = append(out.Definitions, definition(def))
	}
	return out
}

func definition(def schema.Definition) jsonDefinition {
	c := def.Def()
	j := jsonDefinition{
		Kind: def.Kind(), Name: c.Name, File: c.Pos.File, Line: c.Pos.Line,
		Since: c.Since, If: condition(c.If), Features: features(c.Features), Doc: c.Doc,
	}
	flag := func(name string, set bool) {
		if set {
			j.Flags = append(j.Flags, name)
		}
	}
	switch def := def.(type) {
	case *schema.Enum:
		j.Prefix = def.Prefix
		for _, v := range def.Values {
			j.Values = append(j.Values, jsonPart{Name: v.Name, Since: v.Since, If: condition(v.If), Features: features(v.Features)})
		}
	case *schema.Struct:
		j.Base = typeName(def.Base)
		j.Members = members(def.Members)
	case *schema.Union:
		j.Base, j.Members = inPlace(def.Base)
		j.Discriminator = def.Discriminator.Name
		j.Simple = def.Simple
		for _, b := range def.Branches {
			typ := b.Type
			if def.Simple {
				typ = typ.(*schema.Struct).Members[0].Type
			}
			j.Branches = append(j.Branches, jsonPart{Name: b.Name, Type: typ.TypeName(), If: condition(b.If)})
		}
	case *schema.Alternate:
		for _, b := range def.Branches {
			j.Branches = append(j.Branches, jsonPart{Name: b.Name, Type: b.Type.TypeName(), Since: b.Since, If: condition(b.If)})
		}
	case *schema.Command:
		j.Data, j.Members = inPlace(def.Args)
		j.Returns = typeName(def.Returns)
		flag("boxed", def.Boxed)
		flag("no-gen", !def.Gen)
		flag("no-success-response", !def.SuccessResponse)
		flag("allow-oob", def.AllowOOB)
		flag("allow-preconfig", def.AllowPreconfig)
		flag("coroutine", def.Coroutine)
	case *schema.Event:
		j.Data, j.Members = inPlace(def.Data)
		flag("boxed", def.Boxed)
	}
	return j
}

// inPlace returns a type's name, or the members of one that has none.
func inPlace(t schema.Type) (name string, list []jsonPart) {
	if s, ok := t.(*schema.Struct); ok && s.Implicit {
		return "", members(s.Members)
	}
	return typeName(t), nil
}

func typeName(t schema.Type) string {
	if t == nil || t == schema.Type((*schema.Struct)(nil)) {
		return ""
	}
	return t.TypeName()
}

func members(list []*schema.Member) []jsonPart {
	var out []jsonPart
	for _, m := range list {
		out = append(out, jsonPart{
			Name: m.Name, Type: m.Type.TypeName(), Optional: m.Optional,
			Since: m.Since, If: condition(m.If), Features: features(m.Features),
		})
	}
	return out
}

func features(list []*schema.Feature) []jsonFeature {
	var out []jsonFeature
	for _, f := range list {
		out = append(out, jsonFeature{f.Name, f.Since, condition(f.If)})
	}
	return out
}

// condition writes a condition as the language does; nil if there is none.
func condition(c *schema.Cond) any {
	if c == nil {
		return nil
	}
	conds := func(list []*schema.Cond) []any {
		var out []any
		for _, c := range list {
			out = append(out, condition(c))
		}
		return out
	}
	switch {
	case c.Not != nil:
		return map[string]any{"not": condition(c.Not)}
	case c.All != nil:
		return map[string]any{"all": conds(c.All)}
	case c.Any != nil:
		return map[string]any{"any": conds(c.Any)}
	}
	return c.Symbol
}

package main

import (
	"context"
	"fmt"

	"github.com/goqapi/goqapi/schema"
)

// diff reports what has changed between two schemas.
func (t *tool) diff(_ context.Context, args []string) error {
	f := t.flags("diff", "OLD NEW", "Reports what has changed between two schemas: what breaks Go code that uses their bindings, what is deprecated, what is new.")
	root := f.String("root", "", "the `folder` that a file's includes may reach")
	markdown := f.Bool("markdown", false, "write Markdown")
	if err := t.parse(f, args, 2, 2); err != nil {
		return err
	}
	var sides [2]*loaded
	for i := range sides {
		src, err := openSource(f.Arg(i), *root)
		if err != nil {
			return err
		}
		if sides[i], err = src.loadAll(); err != nil {
			return err
		}
	}
	return t.report(sides[0], sides[1], *markdown)
}

// report writes what has changed in the schemas that both sides have.
func (t *tool) report(old, new *loaded, markdown bool) error {
	type pair struct {
		root     string
		old, new *schema.Schema
	}
	var pairs []pair
	if len(old.roots) == 1 && len(new.roots) == 1 {
		pairs = []pair{{new.roots[0], old.schemas[old.roots[0]], new.schemas[new.roots[0]]}}
	} else {
		for _, root := range new.roots {
			if old.schemas[root] != nil {
				pairs = append(pairs, pair{root, old.schemas[root], new.schemas[root]})
			}
		}
	}
	if len(pairs) == 0 {
		return fmt.Errorf("%s and %s have no schema in common", old.name, new.name)
	}
	for i, p := range pairs {
		if i > 0 {
			fmt.Fprintln(t.stdout)
		}
		title := fmt.Sprintf("%s: from %s to %s", nameOf(p.root), old.name, new.name)
		if markdown {
			title = "## " + title
		}
		fmt.Fprintf(t.stdout, "%s\n\n%s", title, schema.Report(schema.Diff(p.old, p.new), markdown))
	}
	return nil
}

package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/schema"
)

// diffCommand reports what has changed between two schemas.
func (a *app) diffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "Report what has changed between two schemas",
		Long:  "Reports what has changed between two schemas: what breaks Go code that uses their bindings, what is deprecated, what is new.\n\n" + whatHelp,
		Args:  count(2, 2),
	}
	root := cmd.Flags().String("root", "", "the `folder` that a file's includes may reach")
	markdown := cmd.Flags().Bool("markdown", false, "write Markdown")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var sides [2]*loaded
		for i := range sides {
			src, err := openSource(args[i], *root)
			if err != nil {
				return err
			}
			defer src.close()
			if sides[i], err = src.loadAll(); err != nil {
				return err
			}
		}
		return a.report(sides[0], sides[1], *markdown)
	}
	return cmd
}

// report writes what has changed in the schemas that both sides have.
func (a *app) report(old, new *loaded, markdown bool) error {
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
			fmt.Fprintln(a.out)
		}
		title := fmt.Sprintf("%s: from %s to %s", nameOf(p.root), old.name, new.name)
		if markdown {
			title = "## " + title
		}
		fmt.Fprintf(a.out, "%s\n\n%s", title, schema.Report(schema.Diff(p.old, p.new), markdown))
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/schema"
)

// check reports what is wrong with schemas.
func (t *tool) check(_ context.Context, args []string) error {
	f := t.flags("check", "WHAT...", "Reads schemas and reports what is wrong with them, or else what they hold.")
	root := f.String("root", "", "the `folder` that a file's includes may reach (default: that of the QEMU source tree, or the file's own)")
	layout := f.Bool("layout", false, "check the layout of documentation comments, too, as QEMU does since 10.2")
	quiet := f.Bool("q", false, "say nothing of schemas that are right")
	if err := t.parse(f, args, 1, -1); err != nil {
		return err
	}
	var opts []schema.Option
	if *layout {
		opts = append(opts, schema.CheckLayout())
	}
	var errs []error
	for _, what := range f.Args() {
		src, err := openSource(what, *root)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, root := range src.roots {
			s, err := src.load(root, opts...)
			if err != nil {
				errs = append(errs, err)
			} else if !*quiet {
				fmt.Fprintf(t.stdout, "%s: %s: %s\n", src.name, nameOf(root), summary(s))
			}
		}
	}
	return errors.Join(errs...)
}

func summary(s *schema.Schema) string {
	return fmt.Sprintf("%d commands, %d events, %d enums, %d structs, %d unions, %d alternates; files: %d",
		len(s.Commands()), len(s.Events()), len(s.Enums()), len(s.Structs()), len(s.Unions()), len(s.Alternates()), len(s.Modules))
}

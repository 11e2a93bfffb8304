package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/schema"
)

// checkCommand reports what is wrong with schemas.
func (a *app) checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check WHAT...",
		Short: "Report what is wrong with schemas",
		Long:  "Reads schemas and reports what is wrong with them, or otherwise what they contain.\n\n" + whatHelp,
		Args:  count(1, -1),
	}
	root := cmd.Flags().String("root", "", "the `folder` that a file's includes may reach (default: that of the QEMU source tree, or the file's own)")
	layout := cmd.Flags().Bool("layout", false, "check the layout of documentation comments, too, as QEMU does since 10.2")
	quiet := cmd.Flags().BoolP("quiet", "q", false, "print nothing about schemas without errors")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		var opts []schema.Option
		if *layout {
			opts = append(opts, schema.CheckLayout())
		}
		if err := a.check(args, *root, *quiet, opts); err != nil {
			a.printError("", err) // a line for each, which begins with its place
			return exit.Silent(exit.Failed)
		}
		return nil
	}
	return cmd
}

func (a *app) check(args []string, root string, quiet bool, opts []schema.Option) error {
	var errs []error
	for _, what := range args {
		errs = append(errs, a.checkOne(what, root, quiet, opts))
	}
	return errors.Join(errs...)
}

// checkOne checks the schemas of one source.
func (a *app) checkOne(what, root string, quiet bool, opts []schema.Option) error {
	src, err := openSource(what, root)
	if err != nil {
		return err
	}
	defer src.close()
	var errs []error
	for _, root := range src.roots {
		s, err := src.load(root, opts...)
		if err != nil {
			errs = append(errs, err)
		} else if !quiet {
			fmt.Fprintf(a.out, "%s: %s: %s\n", src.name, nameOf(root), summary(s))
		}
	}
	return errors.Join(errs...)
}

func summary(s *schema.Schema) string {
	return fmt.Sprintf("%d commands, %d events, %d enums, %d structs, %d unions, %d alternates; files: %d",
		len(s.Commands()), len(s.Events()), len(s.Enums()), len(s.Structs()), len(s.Unions()), len(s.Alternates()), len(s.Modules))
}

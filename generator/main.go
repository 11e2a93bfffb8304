// The generator writes Go bindings for a QAPI schema:
//
//	go run github.com/goqapi/goqapi/generator -schema qapi/qapi-schema.json -package qapi -out ./qapi
//
// It loads and checks the schema, gives everything a Go name, plans the
// declarations, prints them, and only then writes files. The same schema
// always gives the same bytes.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/goqapi/goqapi/generator/internal/emit"
	"github.com/goqapi/goqapi/generator/internal/plan"
	"github.com/goqapi/goqapi/schema"
)

func main() {
	err := run(os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// errUsage is returned for arguments that the flag package has complained of.
var errUsage = errors.New("wrong usage")

// A config is what the command line asks for.
type config struct {
	schema  string
	root    string
	target  string
	pkg     string
	out     string
	release string
	check   bool
}

const usage = `Usage: generator -schema FILE -package NAME -out DIR [flags]

Writes Go bindings for the QAPI schema whose root is FILE into DIR, a file for
each module. Files of an earlier run that are no longer needed are removed.

Flags:
`

func parseArgs(args []string, stderr io.Writer) (config, error) {
	var c config
	fs := flag.NewFlagSet("generator", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.Usage = func() {
		fmt.Fprint(stderr, usage)
		fs.PrintDefaults()
	}
	fs.StringVar(&c.schema, "schema", "", "the schema's root `file`, such as qapi/qapi-schema.json of QEMU's source")
	fs.StringVar(&c.root, "root", "", "the `folder` that includes must stay below (default: the one above the schema's)")
	fs.StringVar(&c.target, "target", "qmp", "whose schema it is: qmp, or qga for the guest agent")
	fs.StringVar(&c.pkg, "package", "", "the `name` of the Go package")
	fs.StringVar(&c.out, "out", "", "the `folder` to write to; it is made if need be")
	fs.StringVar(&c.release, "release", "", "QEMU's `release`, for the files' headings (default: the text of a file VERSION below the root)")
	fs.BoolVar(&c.check, "check", false, "write nothing; fail if what is in the folder differs")
	if err := fs.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return c, err
		}
		return c, errUsage
	}
	complain := func(format string, args ...any) (config, error) {
		fmt.Fprintf(stderr, "generator: "+format+"; see -help\n", args...)
		return c, errUsage
	}
	switch {
	case fs.NArg() > 0:
		return complain("unexpected argument %q", fs.Arg(0))
	case c.schema == "" || c.pkg == "" || c.out == "":
		return complain("-schema, -package and -out are needed")
	case c.target != "qmp" && c.target != "qga":
		return complain("-target is qmp or qga, not %q", c.target)
	}
	if c.root == "" {
		c.root = filepath.Dir(filepath.Dir(filepath.Clean(c.schema)))
	}
	return c, nil
}

func run(args []string, stdout, stderr io.Writer) error {
	c, err := parseArgs(args, stderr)
	if err != nil {
		return err
	}
	files, err := generate(c)
	if err != nil {
		return err
	}
	if c.check {
		return compare(c.out, files)
	}
	changed, err := write(c.out, files)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "generator: %s: %d files, %d changed\n", c.out, len(files), changed)
	return nil
}

// generate is the generator without its input and output of files' text.
func generate(c config) ([]emit.File, error) {
	inside, err := filepath.Rel(c.root, c.schema)
	if err != nil {
		return nil, fmt.Errorf("generator: schema %s is not below root %s", c.schema, c.root)
	}
	fsys := os.DirFS(c.root)
	s, err := schema.Load(fsys, filepath.ToSlash(inside))
	if err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	p, err := plan.Build(s, plan.Options{
		Package: c.pkg,
		Schema:  heading(c),
		Agent:   c.target == "qga",
	})
	if err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	return emit.Files(p)
}

// heading says where the bindings come from.
func heading(c config) string {
	what := "QEMU"
	if c.target == "qga" {
		what = "QEMU's guest agent"
	}
	release := c.release
	if release == "" {
		text, err := os.ReadFile(filepath.Join(c.root, "VERSION"))
		if err != nil {
			return what
		}
		fmt.Sscan(string(text), &release)
	}
	return what + " " + release
}

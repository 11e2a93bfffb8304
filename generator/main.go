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
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/generator/internal/describe"
	"github.com/goqapi/goqapi/generator/internal/emit"
	"github.com/goqapi/goqapi/generator/internal/plan"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
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
	docs    bool
	texts   string
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
	fs.StringVar(&c.texts, "descriptions", "", "a `folder` of descriptions in our own words, a file for each module, for the comments")
	fs.BoolVar(&c.docs, "docs", false, "carry QEMU's own documentation over; the files are then under QEMU's licence")
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
	case !token.IsIdentifier(c.pkg) || c.pkg == "_":
		return complain("-package is a name in Go, not %q", c.pkg)
	case c.release != "" && !version.MatchString(c.release):
		return complain("-release is a version such as 11.1, not %q", c.release)
	}
	if c.root == "" {
		c.root = filepath.Join(filepath.Dir(c.schema), "..")
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
	src, err := openSource(c)
	if err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	defer src.root.Close()
	var opts []schema.Option
	if c.docs {
		opts = append(opts, schema.KeepDocs())
	}
	s, err := src.load(opts...)
	if err != nil {
		return nil, fmt.Errorf("generator: %w", src.named(err))
	}
	if c.release == "" {
		if c.release, err = src.version(); err != nil {
			return nil, fmt.Errorf("generator: %w", err)
		}
	}
	releases, err := knownReleases(c, s)
	if err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	descriptions, err := loadDescriptions(c.texts, s)
	if err != nil {
		return nil, fmt.Errorf("generator: descriptions: %w", err)
	}
	p, err := plan.Build(s, plan.Options{
		Package:      c.pkg,
		Schema:       heading(c),
		Agent:        c.target == "qga",
		Releases:     releases,
		Descriptions: descriptions,
		QEMUDocs:     c.docs,
	})
	if err != nil {
		return nil, fmt.Errorf("generator: %w", src.named(err))
	}
	files, err := emit.Files(p)
	if err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	return files, nil
}

// loadDescriptions reads the descriptions in a folder, which must be of this
// schema.
func loadDescriptions(dir string, s *schema.Schema) (describe.Descriptions, error) {
	if dir == "" {
		return nil, nil
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	all, err := describe.Load(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the folder %s holds no *.md file with any", dir)
	}
	return all, errors.Join(all.Check(s)...)
}

// heading says where the bindings come from.
func heading(c config) string {
	what := "QEMU"
	if c.target == "qga" {
		what = "QEMU's guest agent"
	}
	return strings.TrimSpace(what + " " + c.release)
}

// knownReleases are the releases that comments can tell about: those of the
// snapshots, with the schema at hand in place of that of its own release. A
// schema of no known version is compared with none.
func knownReleases(c config, s *schema.Schema) ([]plan.Release, error) {
	parts := strings.SplitN(c.release, ".", 3)
	if len(parts) < 2 {
		return nil, nil
	}
	own := parts[0] + "." + parts[1]
	root := qemu.QMP
	if c.target == "qga" {
		root = qemu.QGA
	}
	names := qemu.Releases()
	if !slices.Contains(names, own) {
		names = append(names, own)
		slices.SortFunc(names, qemu.Compare)
	}
	var releases []plan.Release
	for _, name := range names {
		known := s
		if name != own {
			var err error
			if known, err = qemu.Load(name, root); err != nil {
				return nil, err
			}
		}
		releases = append(releases, plan.Release{Name: name, Schema: known})
	}
	return releases, nil
}

// Package generate is the generator as a function: the program in the folder above this one
// calls it, and so do tests. The command generate of the program qapi runs that program.
//
// It loads and checks the schemas, merges them, gives everything a Go name, plans the
// declarations, prints them, and only then writes files. The same schemas always produce
// the same bytes.
package generate

import (
	"errors"
	"flag"
	"fmt"
	"go/token"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/generator/internal/emit"
	"github.com/goqapi/goqapi/generator/internal/plan"
	"github.com/goqapi/goqapi/internal/schemafile"
	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/merge"
	"github.com/goqapi/goqapi/schema/qemu"
)

// ErrUsage is returned for wrong arguments, after they have been reported on stderr.
var ErrUsage = errors.New("wrong usage")

// Run runs the generator with the arguments of a command line. name is the command, as usage
// texts show it. If help is asked for, Run prints it to stderr and returns nil.
func Run(name string, args []string, stdout, stderr io.Writer) error {
	c, err := parseArgs(name, args, stderr)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
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

// A config has the settings of the command line.
type config struct {
	schemas list
	root    string
	known   bool
	target  string
	pkg     string
	out     string
	release string
	docs    bool
	texts   string
	check   bool
	devices bool
	all     bool
}

// A list is a flag that can be given several times.
type list []string

func (l *list) String() string { return strings.Join(*l, " ") }

// Set adds a value.
func (l *list) Set(value string) error {
	*l = append(*l, value)
	return nil
}

const usage = `Usage: %s -schema FILE -package NAME -out DIR [flags]

Writes Go bindings for the QAPI schema whose root is FILE into DIR, a file for
each module. Files of an earlier run that are no longer needed are removed.

With several schemas, the oldest first, the bindings contain everything that any
of them has, and say which releases have it.

Flags:
`

func parseArgs(name string, args []string, stderr io.Writer) (config, error) {
	var c config
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, usage, name)
		flags.PrintDefaults()
	}
	flags.Var(&c.schemas, "schema", "the schema's root `file`, such as qapi/qapi-schema.json of QEMU's source; once for each release, the newest last")
	flags.BoolVar(&c.known, "known", false, "also use the QEMU releases that this module knows, from 5.2 on, that are older than the given schemas")
	flags.StringVar(&c.root, "root", "", "the `folder` that includes must stay below (default: the QEMU source tree that a schema is in, otherwise its own folder)")
	flags.StringVar(&c.target, "target", "qmp", "the protocol of the schema: qmp, or qga for the guest agent")
	flags.StringVar(&c.pkg, "package", "", "the `name` of the Go package")
	flags.StringVar(&c.out, "out", "", "the `folder` to write to; it is created if it does not exist")
	flags.StringVar(&c.release, "release", "", "the `release` of the newest schema (default: the text of a file VERSION below the root)")
	flags.StringVar(&c.texts, "descriptions", "", "a `folder` with descriptions in our own words for the comments, a file for each module")
	flags.BoolVar(&c.docs, "docs", false, "copy QEMU's own documentation into the comments; the files are then under QEMU's licence")
	flags.BoolVar(&c.devices, "devices", false, "write types of devices; -schema then names lists of devices, such as schema/qemu/11.1/devices.txt")
	flags.BoolVar(&c.all, "all-devices", false, "with -devices: write types of all devices that users can create, not only of the common ones")
	flags.BoolVar(&c.check, "check", false, "write nothing; fail if the files in the folder differ")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return c, err
		}
		return c, ErrUsage
	}
	complain := func(format string, args ...any) (config, error) {
		fmt.Fprintf(stderr, name+": "+format+"; see -help\n", args...)
		return c, ErrUsage
	}
	switch {
	case flags.NArg() > 0:
		return complain("unexpected argument %q", flags.Arg(0))
	case len(c.schemas) == 0 && !c.known:
		return complain("-schema or -known is needed")
	case c.pkg == "" || c.out == "":
		return complain("-package and -out are needed")
	case c.target != "qmp" && c.target != "qga":
		return complain("-target must be qmp or qga, not %q", c.target)
	case !token.IsIdentifier(c.pkg) || c.pkg == "_":
		return complain("-package must be a Go name, not %q", c.pkg)
	case c.all && !c.devices:
		return complain("-all-devices needs -devices")
	case c.devices && (c.docs || c.target != "qmp" || c.root != "" || c.release != ""):
		return complain("-docs, -target, -root and -release cannot be used with -devices")
	case c.release != "" && !version.MatchString(c.release):
		return complain("-release must be a version such as 11.1, not %q", c.release)
	}
	return c, nil
}

// generate returns the text of the files, without writing them.
func generate(c config) ([]emit.File, error) {
	files, err := bindings(c)
	if err != nil {
		return nil, fmt.Errorf("generator: %w", err)
	}
	return files, nil
}

func bindings(c config) ([]emit.File, error) {
	if c.devices {
		return devicesOf(c)
	}
	releases, name, err := load(c)
	if err != nil {
		return nil, err
	}
	files, err := bindingsOf(c, releases)
	return files, name(err)
}

// bindingsOf returns the bindings for releases, the oldest first.
func bindingsOf(c config, releases []merge.Release) ([]emit.File, error) {
	merged, err := merge.Schemas(releases)
	if err != nil {
		return nil, err
	}
	descriptions, err := loadDescriptions(c.texts, merged.Schema)
	if err != nil {
		return nil, fmt.Errorf("descriptions: %w", err)
	}
	p, err := plan.Build(merged, plan.Options{
		Package:      c.pkg,
		Schema:       heading(c.target, releases),
		Agent:        c.target == "qga",
		Descriptions: descriptions,
		QEMUDocs:     c.docs,
	})
	if err != nil {
		return nil, err
	}
	return emit.Files(p)
}

// load loads all schemas, the oldest first. In errors about the newest, name gives files the
// names that the user gave.
func load(c config) (releases []merge.Release, name func(error) error, err error) {
	name = func(err error) error { return err }
	var opts []schema.Option
	if c.docs {
		opts = append(opts, schema.KeepDocs())
	}
	for i, file := range c.schemas {
		src, inside, err := schemafile.OpenFile(file, c.root)
		if err != nil {
			return nil, nil, err
		}
		defer src.Close()
		name = src.Named
		s, err := src.Load(inside, opts...)
		if err != nil {
			return nil, nil, err
		}
		release, _, err := schemafile.Version(src.FS())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
		release = version.FindString(release)
		if i == len(c.schemas)-1 && c.release != "" {
			release = c.release
		}
		releases = append(releases, merge.Release{Name: release, Schema: s})
	}
	if c.known {
		if releases, err = withKnown(c.target, releases); err != nil {
			return nil, nil, err
		}
	}
	for i := range releases {
		if len(releases) > 1 {
			releases[i].Name = versions.Release(releases[i].Name)
		}
	}
	return releases, name, nil
}

// withKnown adds the releases that this module knows and that are older than the given ones.
func withKnown(target string, given []merge.Release) ([]merge.Release, error) {
	root := qemu.QMP
	if target == "qga" {
		root = qemu.QGA
	}
	releases, err := qemu.LoadAll(root)
	if err != nil || len(given) == 0 {
		return releases, err
	}
	first := versions.Release(given[0].Name)
	if first == "" {
		return nil, errors.New("-known needs the release of the first schema: add a file VERSION, or use -release")
	}
	releases = slices.DeleteFunc(releases, func(r merge.Release) bool { return qemu.Compare(r.Name, first) >= 0 })
	return append(releases, given...), nil
}

// version is a version of QEMU, such as 11.1, 10.0.2 or 10.1.0-rc1.
var version = regexp.MustCompile(`^[0-9]+(\.[0-9]+)+([-+~][-+~.0-9A-Za-z]*)?$`)

// loadDescriptions reads the descriptions in a folder, which must describe this schema.
func loadDescriptions(dir string, s *schema.Schema) (descriptions.Descriptions, error) {
	if dir == "" {
		return nil, nil
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	all, err := descriptions.Load(os.DirFS(dir))
	if err != nil {
		return nil, err
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("the folder %s has no *.md file with descriptions", dir)
	}
	return all, errors.Join(all.Check(s)...)
}

// heading returns what the bindings come from, for the first line of the files.
func heading(target string, releases []merge.Release) string {
	what := "QEMU"
	if target == "qga" {
		what = "QEMU's guest agent"
	}
	oldest, newest := releases[0].Name, releases[len(releases)-1].Name
	if oldest != newest {
		newest = oldest + " to " + newest
	}
	return strings.TrimSpace(what + " " + newest)
}

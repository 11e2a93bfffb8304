package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/internal/regular"
	"github.com/goqapi/goqapi/internal/schemafile"
	"github.com/goqapi/goqapi/internal/versions"
)

const defaultOrigin = "from the schema files of its source"

// The flags of qapi schema import.
type importFlags struct {
	out, release, origin string
	markdown             bool
}

// importCommand adds the schemas of a QEMU release to this module.
func (a *app) importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import WHAT",
		Short: "Add the schemas of a QEMU release to this module",
		Long: `Reads the schemas of a QEMU release, writes the facts in them to a folder of
their own, and reports what has changed since the previous release.

WHAT is a QEMU source tree, a release archive (qemu-11.2.0.tar.xz; xz, gzip,
bzip2 or none) or the https address of one. No text of QEMU's is kept.`,
		Args: count(1, 1),
	}
	var flags importFlags
	cmd.Flags().StringVar(&flags.out, "out", filepath.Join("schema", "qemu"), "the `folder` that holds a folder for each release")
	cmd.Flags().StringVar(&flags.release, "release", "", "the `name` of the release (default: the first two numbers of the file VERSION)")
	cmd.Flags().StringVar(&flags.origin, "origin", "", "where the facts are from, in a `line` (default: what is there, or \""+defaultOrigin+"\")")
	cmd.Flags().BoolVar(&flags.markdown, "markdown", false, "write the report in Markdown")
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return a.importRelease(cmd.Context(), args[0], flags) }
	return cmd
}

func (a *app) importRelease(ctx context.Context, what string, flags importFlags) error {
	if info, err := os.Stat(flags.out); err != nil || !info.IsDir() {
		return fmt.Errorf("there is no folder %s: run qapi in the module's root, or use --out", flags.out)
	}
	src, err := a.openImport(ctx, what)
	if err != nil {
		return fmt.Errorf("import %s: %w", what, err)
	}
	defer src.close()
	r, err := readRelease(src, flags.release)
	if err != nil {
		return fmt.Errorf("import %s: %w", what, err)
	}
	before, err := previous(flags.out, r.release)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	if err := r.write(flags.out, flags.origin); err != nil {
		return fmt.Errorf("import %s: %w", what, err)
	}
	for _, root := range r.roots {
		fmt.Fprintf(a.out, "%s: %s: %s\n", filepath.Join(flags.out, r.release), nameOf(root), summary(r.schemas[root]))
	}
	fmt.Fprintln(a.out)
	if before != nil {
		if err := a.report(before, &r.loaded, flags.markdown); err != nil {
			return err
		}
		fmt.Fprintln(a.out)
	}
	fmt.Fprintln(a.out, "Next: read the report above; make generate; UPDATE=1 go test -run \"TestChanges|TestFacts\" ./cmd/qapi/..., which writes the report into schema/qemu/CHANGES.md and the facts into the tool; make devices; make test.")
	return nil
}

// openImport opens a source tree or an archive.
func (a *app) openImport(ctx context.Context, what string) (*source, error) {
	var in io.ReadCloser
	var err error
	if strings.HasPrefix(what, "http://") {
		return nil, errors.New("the address must begin with https://")
	}
	if strings.HasPrefix(what, "https://") {
		in, err = download(ctx, what)
	} else if info, serr := os.Stat(what); serr == nil && info.IsDir() {
		return openTree(what)
	} else {
		in, err = regular.Open(what)
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	files, err := extract(ctx, in)
	if err != nil {
		return nil, err
	}
	src := &source{fsys: files}
	if err := src.findRoots(); err != nil {
		return nil, err
	}
	if len(src.roots) == 0 {
		return nil, fmt.Errorf("the archive contains no schema: neither %s nor %s", facts.QMP, facts.QGA)
	}
	return src, nil
}

// An imported is a release that is to be written.
type imported struct {
	loaded
	release string // "11.2"
	version string // "11.2.0"
}

var versionPattern = regexp.MustCompile(`^(\d+\.\d+)(\.\d+)*$`)

// readRelease loads the schemas of a source; release may be empty.
func readRelease(src *source, release string) (*imported, error) {
	version, _, err := schemafile.Version(src.fsys)
	switch {
	case errors.Is(err, fs.ErrNotExist) && release != "":
		version = release
	case err != nil:
		return nil, fmt.Errorf("the version is not known: %w (use --release)", err)
	}
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return nil, fmt.Errorf("%q is not the version of a release, such as 11.2.0", version)
	}
	if release == "" {
		release = m[1]
	} else if !versionPattern.MatchString(release) {
		return nil, fmt.Errorf("%q is not the name of a release, such as 11.2", release)
	}
	for _, root := range []string{facts.QMP, facts.QGA} {
		if !slices.Contains(src.roots, root) {
			return nil, fmt.Errorf("the schema %s is missing", root)
		}
	}
	src.roots = []string{facts.QMP, facts.QGA}
	all, err := src.loadAll()
	if err != nil {
		return nil, err
	}
	all.name = "QEMU " + version
	return &imported{*all, release, version}, nil
}

// previous loads the schemas with which a release is compared: those in its own folder,
// or those of the newest release before it, or nothing.
func previous(out, release string) (*loaded, error) {
	entries, err := os.ReadDir(out)
	if err != nil {
		return nil, err
	}
	best := ""
	for _, e := range entries {
		name := e.Name()
		if e.IsDir() && versionPattern.MatchString(name) && versions.Compare(name, release) <= 0 &&
			(best == "" || versions.Compare(name, best) > 0) {
			best = name
		}
	}
	if best == "" {
		return nil, nil
	}
	src, err := openTree(filepath.Join(out, best))
	if err != nil {
		return nil, err
	}
	defer src.close()
	all, err := src.loadAll()
	if err == nil {
		all.name = "QEMU " + best
	}
	return all, err
}

// write writes the release's folder: as a whole, or not at all.
func (r *imported) write(out, origin string) error {
	dir := filepath.Join(out, r.release)
	if origin == "" {
		origin = defaultOrigin
		// The source that was given at an earlier import of the same version is still correct.
		if version, rest, err := schemafile.Version(os.DirFS(dir)); err == nil && version == r.version && rest != "" {
			origin = rest
		}
	}
	tmp, err := os.MkdirTemp(out, ".import-")
	if err != nil {
		return err
	}
	keep := false
	defer func() {
		if !keep {
			os.RemoveAll(tmp)
		}
	}()
	fresh := filepath.Join(tmp, "new")
	files := map[string][]byte{"VERSION": []byte(r.version + "\n" + origin + "\n")}
	for _, s := range r.schemas {
		for _, m := range s.Modules {
			files[m.Path] = s.Format(m)
		}
	}
	// The devices of binaries are not in the source, so the file is kept.
	switch text, err := regular.ReadFile(os.DirFS(dir), devicesFile, maxDevices); {
	case err == nil:
		files[devicesFile] = text
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for name, text := range files {
		path := filepath.Join(fresh, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	old := filepath.Join(tmp, "old")
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		// Restore the previous folder, if there was one.
		if back := os.Rename(old, dir); back != nil && !errors.Is(back, fs.ErrNotExist) {
			keep = true
			return fmt.Errorf("%w; the previous folder is now %s", err, old)
		}
		return err
	}
	return nil
}

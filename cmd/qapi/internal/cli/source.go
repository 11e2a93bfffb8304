package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/internal/schemafile"
	"github.com/goqapi/goqapi/schema"
)

// qsd is the root of the storage daemon's schema in a QEMU source tree.
const qsd = "storage-daemon/qapi/qapi-schema.json"

// interfaces are the schemas that QEMU has, with their names for people.
var interfaces = []struct{ root, name string }{
	{facts.QMP, "QMP"},
	{facts.QGA, "guest agent"},
	{qsd, "storage daemon"},
}

// A source is where schemas are. It must be closed.
type source struct {
	name   string             // as the user gave it
	folder *schemafile.Folder // the folder of the files; nil if they are embedded, or in an archive
	fsys   fs.FS
	roots  []string
}

// openSource finds schemas: a file, a folder or a release. If root is not empty, a
// file's includes must stay below this folder.
func openSource(what, root string) (*source, error) {
	info, err := os.Stat(what)
	switch {
	case err == nil && info.IsDir():
		return openTree(what)
	case err == nil:
		return openFile(what, root)
	case errors.Is(err, fs.ErrNotExist) && slices.Contains(facts.Releases(), what):
		fsys, err := facts.FS(what)
		return &source{name: "QEMU " + what, fsys: fsys, roots: []string{facts.QMP, facts.QGA}}, err
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s is neither a file, nor a folder, nor a known release (%s)", what, strings.Join(facts.Releases(), ", "))
	}
	return nil, err
}

func openTree(dir string) (*source, error) {
	folder, err := schemafile.Open(dir)
	if err != nil {
		return nil, err
	}
	s := &source{name: dir, folder: folder, fsys: folder.FS()}
	if err := s.findRoots(); err != nil {
		s.close()
		return nil, fmt.Errorf("the folder %s: %w", dir, err)
	}
	if len(s.roots) == 0 {
		s.close()
		return nil, fmt.Errorf("the folder %s contains no schema: neither %s nor %s", dir, facts.QMP, facts.QGA)
	}
	return s, nil
}

// findRoots finds the schemas that a source tree has.
func (s *source) findRoots() error {
	for _, i := range interfaces {
		there, err := exists(s.fsys, i.root)
		if err != nil {
			return err
		}
		if there {
			s.roots = append(s.roots, i.root)
		}
	}
	return nil
}

// exists reports whether a file exists. It returns true for a broken link at its path or
// above it: a schema that cannot be read must be an error, and not an absent schema.
func exists(fsys fs.FS, name string) (bool, error) {
	for at := name; at != "."; at = path.Dir(at) {
		info, err := fs.Lstat(fsys, at)
		if !errors.Is(err, fs.ErrNotExist) {
			return err == nil && (at == name || info.Mode()&fs.ModeSymlink != 0), err
		}
	}
	return false, nil
}

func openFile(file, root string) (*source, error) {
	folder, inside, err := schemafile.OpenFile(file, root)
	if err != nil {
		return nil, err
	}
	return &source{name: file, folder: folder, fsys: folder.FS(), roots: []string{inside}}, nil
}

// close closes the folder of the source, if it has one.
func (s *source) close() {
	if s.folder != nil {
		s.folder.Close()
	}
}

// load loads one of the source's schemas.
func (s *source) load(root string, opts ...schema.Option) (*schema.Schema, error) {
	if s.folder != nil {
		return s.folder.Load(root, opts...)
	}
	return schema.Load(s.fsys, root, opts...)
}

// A loaded is a source with all its schemas.
type loaded struct {
	name    string
	roots   []string
	schemas map[string]*schema.Schema // by root
}

func (s *source) loadAll() (*loaded, error) {
	l := &loaded{name: s.name, roots: s.roots, schemas: make(map[string]*schema.Schema)}
	for _, root := range s.roots {
		sch, err := s.load(root)
		if err != nil {
			return nil, err
		}
		l.schemas[root] = sch
	}
	return l, nil
}

// nameOf returns the name, for people, of the schema with that root.
func nameOf(root string) string {
	for _, i := range interfaces {
		if i.root == root {
			return i.name
		}
	}
	return root
}

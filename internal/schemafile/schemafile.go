// Package schemafile opens the files of schemas. Nothing outside of their folder is read, not even
// through symbolic links, and errors name the files as the user does.
package schemafile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/internal/regular"
	"github.com/goqapi/goqapi/schema"
)

// A Folder is a folder with the files of a schema, or of several, such as QEMU's source tree.
type Folder struct {
	root  *os.Root
	below string // a folder below root
	given string // how the user names that folder
}

// Open opens a folder.
func Open(dir string) (*Folder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Folder{root: root, below: ".", given: dir}, nil
}

// OpenFile opens the folder that the schema in a file may include from, and returns the name of the
// file in that folder, for [Folder.Load]. If folder is empty, it is the QEMU source tree that the
// file is in, otherwise the folder of the file.
func OpenFile(file, folder string) (f *Folder, name string, err error) {
	if folder == "" {
		if folder, err = tree(file); err != nil {
			return nil, "", err
		}
	}
	above, err := filepath.Abs(folder)
	if err != nil {
		return nil, "", err
	}
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, "", err
	}
	rel, err := filepath.Rel(above, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return nil, "", fmt.Errorf("the file %s is not below the folder %s", file, folder)
	}
	if f, err = Open(folder); err != nil {
		return nil, "", err
	}
	f.below, f.given = filepath.Dir(rel), filepath.Dir(file)
	return f, filepath.ToSlash(rel), nil
}

// tree returns the folder of the QEMU source tree that a schema's file is in, otherwise the
// folder of the file.
func tree(file string) (string, error) {
	abs, err := filepath.Abs(file) // what is above a file may not be in its name
	if err != nil {
		return "", err
	}
	for dir := filepath.Dir(abs); ; dir = filepath.Dir(dir) {
		switch filepath.Base(dir) {
		case "qapi", "qga", "storage-daemon":
		default:
			return dir, nil
		}
	}
}

// FS returns the files in the folder.
func (f *Folder) FS() fs.FS { return f.root.FS() }

// Close closes the folder, which was only read, so that an error does not matter.
func (f *Folder) Close() { _ = f.root.Close() }

// Load loads the schema whose first file is a file of the folder.
func (f *Folder) Load(file string, opts ...schema.Option) (*schema.Schema, error) {
	s, err := schema.Load(f.FS(), file, opts...)
	return s, f.Named(err)
}

// Named changes the names of files in an error of package schema to those that the user knows.
func (f *Folder) Named(err error) error {
	var list schema.ErrorList
	if !errors.As(err, &list) {
		return err
	}
	for _, e := range list {
		e.Pos.File = f.name(e.Pos.File)
		e.Included = slices.Clone(e.Included) // errors share it
		for i := range e.Included {
			e.Included[i].File = f.name(e.Included[i].File)
		}
	}
	return err
}

// name returns the name by which the user knows a file of the folder.
func (f *Folder) name(file string) string {
	rel, err := filepath.Rel(f.below, filepath.FromSlash(file))
	if err != nil {
		return file
	}
	return filepath.Join(f.given, rel)
}

// Version reads the file VERSION of QEMU's source or of a folder in schema/qemu. It returns the
// version and the lines after it. The error wraps [fs.ErrNotExist] if there is no such file.
func Version(files fs.FS) (version, rest string, err error) {
	text, err := regular.ReadFile(files, "VERSION", 4096)
	version, rest, _ = strings.Cut(string(text), "\n")
	return strings.TrimSpace(version), strings.TrimSpace(rest), err
}

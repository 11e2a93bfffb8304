package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/internal/regular"
	"github.com/goqapi/goqapi/schema"
)

// A source is the folder that a schema's files are below.
type source struct {
	root   *os.Root
	inside string // the schema's first file, below the root
	given  string // that file as the user gave it
}

// openSource opens the folder that a schema's files are below, so that not even symbolic links lead
// out of it.
func openSource(schema, below string) (*source, error) {
	if below == "" {
		below = filepath.Join(filepath.Dir(schema), "..")
	}
	root, err := filepath.Abs(below)
	if err != nil {
		return nil, err
	}
	file, err := filepath.Abs(schema)
	if err != nil {
		return nil, err
	}
	inside, err := filepath.Rel(root, file)
	if err != nil || !filepath.IsLocal(inside) {
		return nil, fmt.Errorf("schema %s is not below root %s", schema, below)
	}
	s := &source{inside: filepath.ToSlash(inside), given: schema}
	s.root, err = os.OpenRoot(below)
	return s, err
}

func (s *source) load(opts ...schema.Option) (*schema.Schema, error) {
	return schema.Load(s.root.FS(), s.inside, opts...)
}

// version is the version in the file VERSION of the root, if it has one, as
// QEMU's source and our snapshots do.
func (s *source) version() (string, error) {
	text, err := regular.ReadFile(s.root.FS(), "VERSION", 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return version.FindString(strings.TrimSpace(line)), err
}

// version is a version of QEMU, such as 11.1, 10.0.2 or 10.1.0-rc1.
var version = regexp.MustCompile(`^[0-9]+(\.[0-9]+)+([-+~][-+~.0-9A-Za-z]*)?$`)

// named changes the names of files in an error of the schema to those that the user gave.
func (s *source) named(err error) error {
	var list schema.ErrorList
	if !errors.As(err, &list) {
		return err
	}
	for _, e := range list {
		e.Pos.File = s.name(e.Pos.File)
		e.Included = slices.Clone(e.Included) // errors share it
		for i := range e.Included {
			e.Included[i].File = s.name(e.Included[i].File)
		}
	}
	return err
}

// name returns the name of a file below the root, relative to the schema's name as it was given.
func (s *source) name(file string) string {
	rel, err := filepath.Rel(path.Dir(s.inside), file)
	if err != nil {
		return file
	}
	return filepath.Join(filepath.Dir(s.given), rel)
}

// Package qemu holds the QAPI schemas of QEMU releases, as facts: names,
// types, conditions, features and the releases that brought them. QEMU's own
// text is not in it.
//
// Each release is a folder:
//
//	VERSION                 the version; in a second line, the source of the facts
//	qapi/qapi-schema.json   the root of QEMU's own interface (QMP)
//	qga/qapi-schema.json    the root of the guest agent's interface
//	devices.txt             the devices of its binaries; some releases have none
//
// The files are the modules of QEMU's schema, written by schema.Format. The
// interface of the storage daemon is a part of QMP's and has no files.
package qemu

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/merge"
)

// The roots of a release's schemas, as arguments of schema.Load.
const (
	QMP = "qapi/qapi-schema.json"
	QGA = "qga/qapi-schema.json"
)

//go:embed [0-9]*
var releases embed.FS

// Releases lists the releases there are, such as "11.1", the oldest first.
func Releases() []string {
	entries, err := releases.ReadDir(".")
	if err != nil {
		panic(err) // the embedded folder is always there
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.SortFunc(names, Compare)
	return names
}

// Compare orders versions by their numbers: "5.2" is before "10.0". It returns
// a negative number, zero or a positive one, as cmp.Compare does.
func Compare(a, b string) int { return versions.Compare(a, b) }

// FS returns the files of a release.
func FS(release string) (fs.FS, error) {
	if !slices.Contains(Releases(), release) {
		return nil, fmt.Errorf("there is no schema of QEMU %q; there are those of %s", release, strings.Join(Releases(), ", "))
	}
	return fs.Sub(releases, release)
}

// LoadAll loads a schema of all releases, the oldest first; root is QMP or QGA.
func LoadAll(root string) ([]merge.Release, error) {
	var all []merge.Release
	for _, name := range Releases() {
		s, err := Load(name, root)
		if err != nil {
			return nil, err
		}
		all = append(all, merge.Release{Name: name, Schema: s})
	}
	return all, nil
}

// Merge loads a schema of all releases, and makes one of them.
func Merge(root string) (*merge.Merged, error) {
	all, err := LoadAll(root)
	if err != nil {
		return nil, err
	}
	return merge.Schemas(all)
}

// Load loads a schema of a release; root is QMP or QGA.
func Load(release, root string) (*schema.Schema, error) {
	fsys, err := FS(release)
	if err != nil {
		return nil, err
	}
	s, err := schema.Load(fsys, root)
	if err != nil {
		return nil, fmt.Errorf("the schema of QEMU %s: %w", release, err)
	}
	return s, nil
}

// CheckPath returns an error for a path, such as "blockdev-add/driver=qcow2", that no
// release has, since it is misspelt. The error names the part, and a similar name. root is
// QMP or QGA.
func CheckPath(root, path string) error {
	merged := mergedQMP
	if root == QGA {
		merged = mergedQGA
	}
	m, err := merged()
	if err != nil {
		return err
	}
	if err := m.CheckPath(path); err != nil {
		return fmt.Errorf("no release of QEMU has %w", err)
	}
	return nil
}

// The schemas of all releases, made once, for paths.
var (
	mergedQMP = sync.OnceValues(func() (*merge.Merged, error) { return Merge(QMP) })
	mergedQGA = sync.OnceValues(func() (*merge.Merged, error) { return Merge(QGA) })
)

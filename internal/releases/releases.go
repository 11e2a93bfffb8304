// Package releases reads the facts of QEMU releases: those of package schema/qemu, wherever its
// files are.
package releases

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/merge"
)

// The roots of a release's schemas, as arguments of schema.Load.
const (
	QMP = "qapi/qapi-schema.json"
	QGA = "qga/qapi-schema.json"
)

// devicesFile is the file of a release that has what its binaries say of their devices.
const devicesFile = "devices.txt"

// A Set is the facts of some releases. It makes each value once and returns the same value to all
// callers, who must not change it.
type Set struct {
	files   fs.FS                // with a folder for each release
	names   func() []string      // of the releases
	probed  func() []string      // the releases that have a list of devices
	loaded  memo[*schema.Schema] // by release and root
	merged  memo[*merge.Merged]  // by root
	devices memo[*devices.List]  // by release
}

// A memo makes each value once.
type memo[V any] struct {
	mu   sync.Mutex
	made map[string]func() (V, error)
}

func (m *memo[V]) get(key string, f func() (V, error)) (V, error) {
	m.mu.Lock()
	once := m.made[key]
	if once == nil {
		once = sync.OnceValues(f)
		if m.made == nil {
			m.made = map[string]func() (V, error){}
		}
		m.made[key] = once
	}
	m.mu.Unlock()
	return once()
}

// New returns the set of the releases in files, which has a folder for each.
func New(files fs.FS) *Set {
	s := &Set{files: files}
	s.names = sync.OnceValue(s.readNames)
	s.probed = sync.OnceValue(s.readProbed)
	return s
}

// Releases lists the releases there are, such as "11.1", the oldest first.
func (s *Set) Releases() []string { return slices.Clone(s.names()) }

func (s *Set) readNames() []string {
	entries, err := fs.ReadDir(s.files, ".")
	if err != nil {
		panic(err) // the files are a part of the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.SortFunc(names, versions.Compare)
	return names
}

// FS returns the files of a release.
func (s *Set) FS(release string) (fs.FS, error) {
	if all := s.names(); !slices.Contains(all, release) {
		return nil, fmt.Errorf("there is no schema of QEMU %q; there are those of %s", release, strings.Join(all, ", "))
	}
	return fs.Sub(s.files, release)
}

// LoadAll loads a schema of all releases, the oldest first; root is QMP or QGA.
func (s *Set) LoadAll(root string) ([]merge.Release, error) {
	var all []merge.Release
	for _, name := range s.names() {
		loaded, err := s.Load(name, root)
		if err != nil {
			return nil, err
		}
		all = append(all, merge.Release{Name: name, Schema: loaded})
	}
	return all, nil
}

// Merge loads a schema of all releases, and makes one of them.
func (s *Set) Merge(root string) (*merge.Merged, error) {
	return s.merged.get(root, func() (*merge.Merged, error) {
		all, err := s.LoadAll(root)
		if err != nil {
			return nil, err
		}
		return merge.Schemas(all)
	})
}

// Load loads a schema of a release; root is QMP or QGA.
func (s *Set) Load(release, root string) (*schema.Schema, error) {
	fsys, err := s.FS(release)
	if err != nil {
		return nil, err
	}
	return s.loaded.get(release+"/"+root, func() (*schema.Schema, error) {
		loaded, err := schema.Load(fsys, root)
		if err != nil {
			return nil, fmt.Errorf("the schema of QEMU %s: %w", release, err)
		}
		return loaded, nil
	})
}

// CheckPath returns an error for a path, such as "blockdev-add/driver=qcow2", that no
// release has, since it is misspelt. The error names the part, and a similar name. root is
// QMP or QGA.
func (s *Set) CheckPath(root, path string) error {
	m, err := s.Merge(root)
	if err != nil {
		return err
	}
	if err := m.CheckPath(path); err != nil {
		return fmt.Errorf("no release of QEMU has %w", err)
	}
	return nil
}

// DeviceReleases lists the releases whose devices are known, such as "11.1", the oldest first.
func (s *Set) DeviceReleases() []string { return slices.Clone(s.probed()) }

func (s *Set) readProbed() []string {
	return slices.DeleteFunc(s.Releases(), func(release string) bool {
		_, err := fs.Stat(s.files, release+"/"+devicesFile)
		return err != nil
	})
}

// Devices returns what the binaries of a release, one of [Set.DeviceReleases], say of their
// devices.
func (s *Set) Devices(release string) (*devices.List, error) {
	if all := s.probed(); !slices.Contains(all, release) {
		return nil, fmt.Errorf("the devices of QEMU %q are not known; those of %s are", release, strings.Join(all, ", "))
	}
	return s.devices.get(release, func() (*devices.List, error) {
		name := release + "/" + devicesFile
		text, err := fs.ReadFile(s.files, name)
		if err != nil {
			return nil, err
		}
		return devices.Parse(name, text)
	})
}

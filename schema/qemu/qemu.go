// Package qemu holds the QAPI schemas of QEMU releases, as facts: names, types,
// conditions, features and the releases that introduced them. QEMU's own text is not in
// it.
//
// Each release is a folder:
//
//	VERSION                 the version; in a second line, the source of the facts
//	qapi/qapi-schema.json   the root of QEMU's own interface (QMP)
//	qga/qapi-schema.json    the root of the guest agent's interface
//	devices.txt             the devices of its binaries; some releases have none
//
// The files are the modules of QEMU's schema, written by schema.Format. The interface
// of the storage daemon is a part of QMP, and has no files of its own.
//
// The schemas and lists of devices that the functions return are made once and shared by all
// callers: they must not be changed.
package qemu

import (
	"embed"
	"io/fs"

	"github.com/goqapi/goqapi/internal/releases"
	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/merge"
)

// The roots of a release's schemas, as arguments of schema.Load.
const (
	QMP = releases.QMP
	QGA = releases.QGA
)

//go:embed [0-9]*
var files embed.FS

var known = releases.New(files)

// Releases returns the releases in this package, such as "11.1", the oldest first.
func Releases() []string { return known.Releases() }

// Compare orders versions by their numbers: "5.2" is before "10.0". It returns
// a negative number, zero or a positive one, as cmp.Compare does.
func Compare(a, b string) int { return versions.Compare(a, b) }

// FS returns the files of a release.
func FS(release string) (fs.FS, error) { return known.FS(release) }

// LoadAll loads the schemas of all releases, the oldest first; root is QMP or QGA.
func LoadAll(root string) ([]merge.Release, error) { return known.LoadAll(root) }

// Merge loads the schemas of all releases, and merges them into one.
func Merge(root string) (*merge.Merged, error) { return known.Merge(root) }

// Load loads the schema of a release; root is QMP or QGA.
func Load(release, root string) (*schema.Schema, error) { return known.Load(release, root) }

// CheckPath returns an error for a path that no release has, for example because it is
// misspelt. A path is a text such as "blockdev-add/driver=qcow2". The error names the part
// that is missing, and a similar name. root is QMP or QGA.
func CheckPath(root, path string) error { return known.CheckPath(root, path) }

// DeviceReleases lists the releases whose devices are known, such as "11.1", the oldest first.
func DeviceReleases() []string { return known.DeviceReleases() }

// Devices returns the facts about the devices of a release, which is one of [DeviceReleases].
func Devices(release string) (*devices.List, error) { return known.Devices(release) }

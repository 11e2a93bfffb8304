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
//
// The schemas and lists of devices that the functions return are made once, and everybody gets the
// same: they must not be changed.
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

// Releases lists the releases there are, such as "11.1", the oldest first.
func Releases() []string { return known.Releases() }

// Compare orders versions by their numbers: "5.2" is before "10.0". It returns
// a negative number, zero or a positive one, as cmp.Compare does.
func Compare(a, b string) int { return versions.Compare(a, b) }

// FS returns the files of a release.
func FS(release string) (fs.FS, error) { return known.FS(release) }

// LoadAll loads a schema of all releases, the oldest first; root is QMP or QGA.
func LoadAll(root string) ([]merge.Release, error) { return known.LoadAll(root) }

// Merge loads a schema of all releases, and makes one of them.
func Merge(root string) (*merge.Merged, error) { return known.Merge(root) }

// Load loads a schema of a release; root is QMP or QGA.
func Load(release, root string) (*schema.Schema, error) { return known.Load(release, root) }

// CheckPath returns an error for a path, such as "blockdev-add/driver=qcow2", that no
// release has, since it is misspelt. The error names the part, and a similar name. root is
// QMP or QGA.
func CheckPath(root, path string) error { return known.CheckPath(root, path) }

// DeviceReleases lists the releases whose devices are known, such as "11.1", the oldest first.
func DeviceReleases() []string { return known.DeviceReleases() }

// Devices returns what the binaries of a release, one of [DeviceReleases], say of their devices.
func Devices(release string) (*devices.List, error) { return known.Devices(release) }

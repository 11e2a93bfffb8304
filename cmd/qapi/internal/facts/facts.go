// Package facts has the files of package schema/qemu, compressed: they have 4.8 MB, and would
// make this program a third larger. The program must not import package schema/qemu.
package facts

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"io/fs"
	"sync"

	"github.com/goqapi/goqapi/internal/releases"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// The roots of a release's schemas.
const (
	QMP = releases.QMP
	QGA = releases.QGA
)

// TestFacts writes it.
//
//go:embed releases.zip
var compressed []byte

// known opens the archive when it is needed.
var known = sync.OnceValue(func() *releases.Set {
	files, err := zip.NewReader(bytes.NewReader(compressed), int64(len(compressed)))
	if err != nil {
		panic(err) // TestFacts has read it
	}
	return releases.New(files)
})

// Releases returns the releases in the archive, such as "11.1", the oldest first.
func Releases() []string { return known().Releases() }

// Newest returns the newest of [Releases].
func Newest() string {
	all := Releases()
	return all[len(all)-1]
}

// FS returns the files of a release.
func FS(release string) (fs.FS, error) { return known().FS(release) }

// Load loads the schema of a release; root is QMP or QGA.
func Load(release, root string) (*schema.Schema, error) { return known().Load(release, root) }

// CheckPath returns an error for a path that no release has.
func CheckPath(root, path string) error { return known().CheckPath(root, path) }

// DeviceReleases lists the releases whose devices are known, the oldest first.
func DeviceReleases() []string { return known().DeviceReleases() }

// Devices returns the facts about the devices of a release; they must not be changed.
func Devices(release string) (*devices.List, error) { return known().Devices(release) }

// Package facts has what package schema/qemu has, compressed: its files have 4.8 MB, and this
// program would be a third larger. The program must not import that package.
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

// known opens the archive when somebody needs it.
var known = sync.OnceValue(func() *releases.Set {
	files, err := zip.NewReader(bytes.NewReader(compressed), int64(len(compressed)))
	if err != nil {
		panic(err) // TestFacts has read it
	}
	return releases.New(files)
})

// Releases lists the releases there are, such as "11.1", the oldest first.
func Releases() []string { return known().Releases() }

// Newest returns the newest of [Releases].
func Newest() string {
	all := Releases()
	return all[len(all)-1]
}

// Compare orders versions by their numbers.
func Compare(a, b string) int { return releases.Compare(a, b) }

// FS returns the files of a release.
func FS(release string) (fs.FS, error) { return known().FS(release) }

// Load loads a schema of a release; root is QMP or QGA.
func Load(release, root string) (*schema.Schema, error) { return known().Load(release, root) }

// CheckPath returns an error for a path that no release has.
func CheckPath(root, path string) error { return known().CheckPath(root, path) }

// DeviceReleases lists the releases whose devices are known, the oldest first.
func DeviceReleases() []string { return known().DeviceReleases() }

// Devices returns what the binaries of a release say of their devices; it must not be changed.
func Devices(release string) (*devices.List, error) { return known().Devices(release) }

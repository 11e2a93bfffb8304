package descriptions

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/goqapi/goqapi/internal/regular"
)

// ReleasesFile lists everything that some supported releases lack, with the releases that have it. A test of
// the generator writes it, and compares it with what the comments of the bindings say.
const ReleasesFile = "releases.txt"

// A Release says which of the supported releases have a definition, or a part of one.
type Release struct {
	In      string // such as "QEMU 7.1 and later"; empty if each release with the definition has it
	Gone    string // when QEMU removed it, such as "in 9.1"; empty if it was not removed
	Instead string // what replaces it; the text after "; " is an alternative that does not replace it
	Now     string // the type's newest name; older releases have another name
}

// Releases has the entries by name: that of a definition, or for a part the name of its
// definition, a slash, and its own. If something has no entry, all supported releases
// with its definition have it.
type Releases map[string]Release

// LoadReleases reads the file [ReleasesFile] of a folder.
func LoadReleases(fsys fs.FS) (Releases, error) {
	text, err := regular.ReadFile(fsys, ReleasesFile, 16<<20)
	if err != nil {
		return nil, err
	}
	all := Releases{}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 5 {
			return nil, fmt.Errorf("%s: a line has five fields: %q", ReleasesFile, line)
		}
		all[fields[0]] = Release{In: fields[1], Gone: fields[2], Instead: fields[3], Now: fields[4]}
	}
	return all, nil
}

// Format returns the text of a line of the file.
func (r Release) Format(name string) string {
	return strings.Join([]string{name, r.In, r.Gone, r.Instead, r.Now}, "\t") + "\n"
}

package complete

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
)

// Files returns the files whose path starts with a prefix, as a shell does: hidden ones only if
// the prefix contains the dot, folders with a "/" after them.
func Files(prefix string) []string {
	dir, stem := "", prefix
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		dir, stem = prefix[:i+1], prefix[i+1:]
	}
	folder, err := os.Open(cmp.Or(dir, "."))
	if err != nil {
		return nil
	}
	defer folder.Close()
	entries, err := folder.ReadDir(mostFiles)
	if err != nil && entries == nil {
		return nil
	}
	var found []string
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, stem) || stem == "" && strings.HasPrefix(name, ".") {
			continue
		}
		path := dir + name
		if isFolder(path, entry) {
			path += "/"
		}
		found = append(found, path)
	}
	return found
}

// mostFiles is how many files of a folder are looked at.
const mostFiles = 10_000

// isFolder follows a symbolic link, but does not open anything.
func isFolder(path string, entry os.DirEntry) bool {
	if entry.Type()&os.ModeSymlink == 0 {
		return entry.IsDir()
	}
	info, err := os.Stat(filepath.Clean(path))
	return err == nil && info.IsDir()
}

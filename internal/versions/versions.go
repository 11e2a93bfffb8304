// Package versions compares the versions of QEMU.
package versions

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Compare orders versions by their numbers: "5.2" is before "10.0", and "7.2" is "7.2.0". It
// returns a negative number, zero or a positive one, as cmp.Compare does.
func Compare(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		if c := cmp.Compare(m, n); c != 0 {
			return c
		}
	}
	return 0
}

// Release returns the release of a version: "10.0" of "10.0.13".
func Release(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// Numbers returns the first two numbers of a version.
func Numbers(version string) (major, minor int) {
	x, y, _ := strings.Cut(Release(version), ".")
	major, _ = strconv.Atoi(x)
	minor, _ = strconv.Atoi(y)
	return major, minor
}

// Around returns the version itself if known, a sorted list, has it, and otherwise the nearest before
// and the nearest after it.
func Around(version string, known []string) []string {
	i, found := slices.BinarySearchFunc(known, version, Compare)
	switch {
	case found:
		return known[i : i+1]
	case i == len(known):
		return known[max(i-1, 0):]
	}
	return known[max(i-1, 0) : i+1]
}

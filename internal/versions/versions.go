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

// Package versions compares the versions of QEMU.
package versions

import (
	"cmp"
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

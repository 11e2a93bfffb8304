package qmp

import "cmp"

// Compare orders versions by their numbers: it returns a negative number if v is older
// than other, a positive one if it is newer, and otherwise zero.
func (v Version) Compare(other Version) int {
	return cmp.Or(
		cmp.Compare(v.Major, other.Major),
		cmp.Compare(v.Minor, other.Minor),
		cmp.Compare(v.Micro, other.Micro),
	)
}

// AtLeast reports whether v is that release or a newer one: AtLeast(7, 2) is true for 7.2.0,
// 7.2.1 and 8.0.0. A version on the way to a release, such as 7.1.90, is not that release.
func (v Version) AtLeast(major, minor int) bool {
	return v.Compare(Version{Major: major, Minor: minor}) >= 0
}

package merge

import "math/bits"

// A Set is a set of the releases that are merged, by their index.
type Set uint64

func (s Set) with(release int) Set { return s | 1<<release }

// Has reports whether a release is one of them.
func (s Set) Has(release int) bool { return s&(1<<release) != 0 }

// First and Last are the oldest and the newest; -1 if there is none.
func (s Set) First() int {
	if s == 0 {
		return -1
	}
	return bits.TrailingZeros64(uint64(s))
}

// Last returns the newest, or -1.
func (s Set) Last() int { return bits.Len64(uint64(s)) - 1 }

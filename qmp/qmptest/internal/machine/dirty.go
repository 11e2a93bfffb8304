package machine

import (
	"cmp"
	"slices"
)

// An extent is from one byte up to another.
type extent struct{ from, to int64 }

// extents are sorted, and neither touch nor overlap each other. A list is never changed.
type extents []extent

// with returns the extents together with another one, which is extended to whole blocks.
func (s extents) with(from, to, block int64) extents {
	if from >= to {
		return s
	}
	added := extent{from / block * block, (to + block - 1) / block * block}
	all := append(slices.Clone(s), added)
	slices.SortFunc(all, func(a, b extent) int { return cmp.Compare(a.from, b.from) })
	joined := all[:1]
	for _, next := range all[1:] {
		if last := &joined[len(joined)-1]; next.from <= last.to {
			last.to = max(last.to, next.to)
		} else {
			joined = append(joined, next)
		}
	}
	return joined
}

// and returns the extents of both, those of others extended to whole blocks.
func (s extents) and(others extents, block int64) extents {
	for _, other := range others {
		s = s.with(other.from, other.to, block)
	}
	return s
}

// size returns how many bytes there are in all.
func (s extents) size() (n int64) {
	for _, each := range s {
		n += each.to - each.from
	}
	return n
}

// bits returns a bit for each block of a disk, in whole words of 64, the lowest first: those of the
// blocks in s are 1.
func (s extents) bits(size, block int64) []byte {
	const word = 64
	blocks := max((size+block-1)/block, 1)
	all := make([]byte, (blocks+word-1)/word*word/8)
	for _, each := range s {
		for i := each.from / block; i*block < each.to; i++ {
			all[i/8] |= 1 << (i % 8)
		}
	}
	return all
}

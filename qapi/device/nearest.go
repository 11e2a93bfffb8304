package device

import (
	"iter"
	"strings"
)

// nearest returns the name that is most like a name that does not exist; "" if none is.
func nearest(name string, names iter.Seq[string]) string {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	best, least := "", len(name)/3+2
	for other := range names {
		d := distance(plain(name), plain(other))
		if d < least || d == least && best != "" && other < best {
			best, least = other, d
		}
	}
	return best
}

// distance is how many letters have to be put in, taken out or changed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0] // the value to the left in the row above
		row[0] = i + 1
		for j := range len(b) {
			change := before
			if a[i] != b[j] {
				change++
			}
			before = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Package edits measures how similar two names are, for errors that guess which one was meant.
package edits

// Nearest returns the most similar of some names, or "" if none is similar: at most a third of the
// letters, and at least one, may differ.
func Nearest(name string, names []string) string {
	best, limit := "", max(1, len(name)/3)+1
	for _, other := range names {
		if d := Distance(name, other); other != "" && d < limit {
			best, limit = other, d
		}
	}
	return best
}

// Distance returns how many letters have to be changed, added, removed, or swapped with the
// next one, to turn one word into another.
func Distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

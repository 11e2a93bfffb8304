package device

import (
	"iter"
	"strings"

	"github.com/goqapi/goqapi/internal/edits"
)

// nearest returns the name that is most similar to a name that does not exist; "" if none is
// similar.
func nearest(name string, names iter.Seq[string]) string {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	best, least := "", len(name)/3+2
	for other := range names {
		d := edits.Distance(plain(name), plain(other))
		if d < least || d == least && best != "" && other < best {
			best, least = other, d
		}
	}
	return best
}

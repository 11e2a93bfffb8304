package plan

import (
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/schema/merge"
)

// A history describes, for people, which of the merged releases have something.
type history struct{ *merge.Merged }

// known reports whether more than one release was merged.
func (h history) known() bool { return len(h.Releases) > 1 }

func (h history) all() merge.Set { return 1<<len(h.Releases) - 1 }

// say adds to facts which releases have something, and when it was removed, if that
// differs from what the facts of its owner say. The owner of a definition is in all
// releases. If no release has it, say adds nothing.
func (h history) say(f *Facts, in, owner merge.Set) {
	if !h.known() || in == 0 {
		return
	}
	f.Since = h.began(in, f.Since)
	if in != owner {
		f.In = h.describe(in, f.Since)
	}
	if in.Last() < owner.Last() {
		f.Gone = h.gone(in.Last())
	}
}

// began returns the release that the schema names as the first one, if that agrees with
// the merged releases: it must be newer than the last release before the first that has
// the thing.
func (h history) began(in merge.Set, since string) string {
	first := in.First()
	if first == 0 || since == "" || versions.Compare(since, h.Releases[first]) > 0 ||
		versions.Compare(since, h.Releases[first-1]) <= 0 {
		return ""
	}
	return since
}

// describe writes a set of releases: "QEMU 7.1 and later", "QEMU 5.2 to 9.0".
func (h history) describe(in merge.Set, since string) string {
	var spans []string
	last := len(h.Releases) - 1
	for i := 0; i <= last; i++ {
		if !in.Has(i) {
			continue
		}
		from := i
		for i < last && in.Has(i+1) {
			i++
		}
		first := h.Releases[from]
		if from == in.First() && since != "" {
			first = since
		}
		switch {
		case i == last:
			spans = append(spans, first+" and later")
		case i == from:
			spans = append(spans, first)
		default:
			spans = append(spans, first+" to "+h.Releases[i])
		}
	}
	text := "QEMU " + strings.Join(spans, ", ")
	if len(spans) == 1 && !strings.Contains(text, " and later") && !strings.Contains(text, " to ") {
		text += " only"
	}
	return text
}

// gone returns when QEMU removed something, from the last release that has it: in the next
// release, if that one is known.
func (h history) gone(last int) string {
	if next := h.Releases[last+1]; follows(next, h.Releases[last]) {
		return "in " + next
	}
	return "after " + h.Releases[last]
}

// follows reports whether one version of QEMU is the next one after another. There are
// three a year, such as 10.0, 10.1 and 10.2, and then 11.0.
func follows(next, last string) bool {
	major, minor, _ := strings.Cut(last, ".")
	m, err := strconv.Atoi(major)
	n, err2 := strconv.Atoi(minor)
	if err != nil || err2 != nil {
		return false
	}
	if n == 2 {
		m, n = m+1, -1
	}
	return next == strconv.Itoa(m)+"."+strconv.Itoa(n+1)
}

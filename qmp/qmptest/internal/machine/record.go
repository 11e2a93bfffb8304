package machine

import (
	"strings"
	"sync"

	"github.com/goqapi/goqapi/schema/qemu"
)

// A record is a line of one of the lists of facts in this folder: a name, and words about it, some
// of them with a value after "=".
type record struct {
	name  string
	words map[string]string
	parts []record // the indented lines below
}

// records reads the records of a list of facts that are true for the release. The words since and
// before of a record limit the releases. Lines that begin with # are comments. Lists are read once
// for each release: what is returned must not be changed.
func (m *Machine) records(text string) []record {
	of := releaseText{m.host.Release(), text}
	if known, ok := read.Load(of); ok {
		return known.([]record)
	}
	all := m.readRecords(text)
	read.Store(of, all)
	return all
}

type releaseText struct{ release, text string }

// read has the records that were read, []record by releaseText.
var read sync.Map

func (m *Machine) readRecords(text string) (all []record) {
	skipped := false // the record above is skipped, so its parts are, too
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		r := record{name: strings.Trim(words[0], `"`), words: map[string]string{}}
		for _, word := range words[1:] {
			key, v, _ := strings.Cut(word, "=")
			r.words[key] = v
		}
		part, has := line[0] == '\t', m.has(r.words["since"], r.words["before"])
		switch {
		case !part:
			if skipped = !has; has {
				all = append(all, r)
			}
		case has && !skipped:
			above := &all[len(all)-1]
			above.parts = append(above.parts, r)
		}
	}
	return all
}

// has reports whether the release is since or later, and earlier than before; "" does not limit it.
func (m *Machine) has(since, before string) bool {
	return (since == "" || m.since(since)) && (before == "" || qemu.Compare(m.host.Release(), before) < 0)
}

// is reports whether the record has a word.
func (r record) is(word string) bool {
	_, ok := r.words[word]
	return ok
}

// text returns the value of a word; nil if the record does not have the word.
func (r record) text(word string) *string {
	if v, ok := r.words[word]; ok {
		return &v
	}
	return nil
}

package device

import (
	"maps"
	"math/bits"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/schema/devices"
)

// places says where something exists: for each target, in which releases. A release is a
// number, its index in the order of all releases.
type places map[string]set

// A set is a set of releases.
type set uint64

func (s set) has(r int) bool { return s&(1<<r) != 0 }

func (p places) add(target string, release int) { p[target] |= 1 << release }

// releases returns the releases that have the thing on any target; has reports whether r is one of
// them.
func (p places) releases(r int) (all set, has bool) {
	for _, s := range p {
		all |= s
	}
	return all, all.has(r)
}

// axes has the known releases and targets, each in their order.
type axes struct {
	releases []string
	targets  []string
}

// describe returns text for people about something that exists in the places in, and that could
// exist in the places of. where says in which of these it exists, "" if in all; gone says which
// releases no longer have it.
func (s axes) describe(in, of places) (where, gone string) {
	gone = s.gone(in, of)
	if maps.Equal(in, of) || gone != "" && maps.Equal(in, of.before(in)) { // gone is enough
		return "", gone
	}
	var parts, with, without []string
	spans := map[string][]string{} // targets, by the text about their releases
	var order []string
	for _, target := range s.targets {
		switch have, could := in[target], of[target]; {
		case could == 0:
		case have == 0:
			without = append(without, target)
		default:
			with = append(with, target)
			span := s.span(have, could&^have)
			if spans[span] == nil {
				order = append(order, span)
			}
			spans[span] = append(spans[span], target)
		}
	}
	if len(without) > 0 {
		parts = append(parts, "on "+list(with)+", not on "+list(without))
	}
	for _, span := range order {
		switch {
		case span == "":
		case len(order) > 1:
			parts = append(parts, "on "+list(spans[span])+" "+span)
		default:
			parts = append(parts, span)
		}
	}
	for i, part := range parts {
		parts[i] = strings.ToUpper(part[:1]) + part[1:] + "."
	}
	return strings.Join(parts, " "), gone
}

// before returns the places without the releases that are newer than the newest one of p.
func (of places) before(p places) places {
	newest, _ := p.releases(0)
	older := places{}
	for target, s := range of {
		if older[target] = s & (1<<bits.Len64(uint64(newest)) - 1); older[target] == 0 {
			delete(older, target)
		}
	}
	return older
}

// span returns, for people, which releases have something and which do not, such as "in QEMU 10.0
// and newer, not in 7.2". Nothing is known about releases that are in neither set.
func (s axes) span(have, lack set) string {
	if lack == 0 {
		return ""
	}
	first, last := -1, -1
	for r := range s.releases {
		if have.has(r) {
			if first < 0 {
				first = r
			}
			last = r
		}
	}
	gap := false
	before, after := -1, -1
	for r := range s.releases {
		switch {
		case !lack.has(r):
		case r < first:
			before = r
		case r > last:
			if after < 0 {
				after = r
			}
		default:
			gap = true
		}
	}
	switch {
	case gap || before >= 0 && after >= 0:
		return "in QEMU " + list(s.names(have)) + ", not in " + list(s.names(lack))
	case after >= 0:
		return "in QEMU " + s.releases[last] + " and older, not in " + s.releases[after]
	}
	return "in QEMU " + s.releases[first] + " and newer, not in " + s.releases[before]
}

func (s axes) names(in set) []string {
	var names []string
	for r, name := range s.releases {
		if in.has(r) {
			names = append(names, name)
		}
	}
	return names
}

// gone returns, for people, the releases in which something no longer exists; "" if the newest
// release in which it could exist has it.
func (s axes) gone(in, of places) string {
	have, _ := in.releases(0)
	could, _ := of.releases(0)
	for r := range slices.Backward(s.releases) {
		switch {
		case !could.has(r):
		case have.has(r):
			return ""
		default:
			first := r
			for first > 0 && !have.has(first-1) {
				first--
			}
			if first == len(s.releases)-1 {
				return "QEMU " + s.releases[first] + " no longer has it"
			}
			return "QEMU " + s.releases[first] + " and newer no longer have it"
		}
	}
	return ""
}

// list joins words as people do: a, b and c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// axesOf returns the axes of lists, and all places that are in them.
func axesOf(lists []*devices.List) (axes, places) {
	s, all := axes{}, places{}
	for r, l := range lists {
		s.releases = append(s.releases, l.Release)
		for _, target := range l.Targets() {
			all.add(target, r)
			if !slices.Contains(s.targets, target) {
				s.targets = append(s.targets, target)
			}
		}
	}
	return s, all
}

package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// A Release is a release of QEMU with its schema, for the comments that tell
// which releases have a thing.
type Release struct {
	Name   string // such as "7.2"
	Schema *schema.Schema
}

// A history tells which of the known releases, oldest first, have a thing.
type history struct {
	releases []Release
	members  map[memberKey]bool // made when needed
}

// A memberKey names a member, value or argument in one release.
type memberKey struct {
	release     int
	owner, name string
}

func newHistory(releases []Release) *history {
	h := &history{releases: releases, members: map[memberKey]bool{}}
	for i, r := range releases {
		for _, def := range r.Schema.Definitions() {
			for _, name := range partNames(def) {
				h.members[memberKey{i, def.Def().Name, name}] = true
			}
			union, ok := def.(*schema.Union)
			if !ok || implicitEnum(union) == nil {
				continue
			}
			enum := implicitEnum(union) // an explicit one of the same name in later releases
			for _, value := range enum.Values {
				h.members[memberKey{i, enum.Name, value.Name}] = true
			}
		}
	}
	return h
}

// definition tells which releases have a definition of that name and sort.
func (h *history) definition(def schema.Definition) []bool {
	return h.where(func(i int) bool {
		other := h.releases[i].Schema.Lookup(def.Def().Name)
		return other != nil && sort(other) == sort(def)
	})
}

// part tells which releases have a member, value or argument of a definition.
func (h *history) part(owner schema.Definition, name string) []bool {
	return h.where(func(i int) bool { return h.members[memberKey{i, owner.Def().Name, name}] })
}

// withSince is in, but for the oldest release, if upstream says that a thing was there
// already: the schema of 5.2 does not list what object-add takes, nor the types behind
// simple unions, but QEMU 5.2 has them.
func (h *history) withSince(in []bool, since string) []bool {
	if len(in) < 2 || in[0] || !in[1] || since == "" || slices.Compare(numbers(since), numbers(h.releases[0].Name)) > 0 {
		return in
	}
	in = slices.Clone(in)
	in[0] = true
	return in
}

// numbers are those of a version.
func numbers(version string) []int {
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			break
		}
		list = append(list, n)
	}
	return list
}

func (h *history) where(has func(release int) bool) []bool {
	in := make([]bool, len(h.releases))
	for i := range in {
		in[i] = has(i)
	}
	return in
}

// sort is what a definition is for users: types may change their kind.
func sort(def schema.Definition) string {
	switch def.(type) {
	case *schema.Command, *schema.Event:
		return def.Kind()
	}
	return "type"
}

// describe writes a set of releases: "5.2 and later", "7.2 to 10.0". It is
// empty if nothing is known.
func (h *history) describe(in []bool) string {
	first, last := slices.Index(in, true), len(in)-1
	for last >= 0 && !in[last] {
		last--
	}
	if first < 0 {
		return ""
	}
	if slices.Contains(in[first:last+1], false) {
		var names []string
		for i, has := range in {
			if has {
				names = append(names, h.releases[i].Name)
			}
		}
		return strings.Join(names, ", ")
	}
	switch {
	case last == len(in)-1 && first == last:
		return h.releases[first].Name
	case last == len(in)-1:
		return h.releases[first].Name + " and later"
	case first == last:
		return h.releases[first].Name + " alone"
	}
	return h.releases[first].Name + " to " + h.releases[last].Name
}

// partNames are the names of all that a definition is made of.
func partNames(def schema.Definition) []string {
	names := schema.Parts(def)
	if from := schema.Inherited(def); from != nil {
		names = append(names, partNames(from)...)
	}
	return names
}

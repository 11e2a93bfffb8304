package devices

import (
	"cmp"
	"slices"
	"strings"
)

// compareProps orders properties by name, and then by the targets that they are on.
func compareProps(a, b Prop) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(strings.Join(a.Targets, ","), strings.Join(b.Targets, ",")))
}

// sortTypes puts parents before their children, and siblings in the order of their names.
func sortTypes(types []*Type) {
	children := map[string][]*Type{}
	known := map[string]bool{}
	for _, t := range types {
		known[t.Name] = true
	}
	for _, t := range types {
		parent := t.Parent
		if !known[parent] {
			parent = ""
		}
		children[parent] = append(children[parent], t)
	}
	sorted := make([]*Type, 0, len(types))
	var add func(parent string)
	add = func(parent string) {
		list := children[parent]
		slices.SortFunc(list, func(a, b *Type) int { return cmp.Compare(a.Name, b.Name) })
		for _, t := range list {
			sorted = append(sorted, t)
			add(t.Name)
		}
	}
	add("")
	copy(types, sorted)
}

// compareTargets puts the most common targets first.
func compareTargets(a, b string) int {
	rank := func(target string) int {
		if i := slices.Index([]string{"x86_64", "aarch64", "s390x"}, target); i >= 0 {
			return i
		}
		return 3
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

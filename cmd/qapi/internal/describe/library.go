package describe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// A Library has the interfaces of one release, with our descriptions.
type Library struct {
	Release string
	books   []*book // QMP's and the agent's

	devices                       *devices.List // of the nearest release whose devices are known
	aboutDevices, aboutProperties descriptions.Descriptions
}

// A book is one schema.
type book struct {
	*schema.Schema
	agent    bool
	texts    descriptions.Descriptions
	releases descriptions.Releases
}

// New loads what is known about a release; "" means the newest.
func New(release string) (*Library, error) {
	all := facts.Releases()
	if release == "" {
		release = all[len(all)-1]
	}
	l := &Library{Release: release}
	for _, of := range []struct{ root, target string }{{facts.QMP, "qmp"}, {facts.QGA, "qga"}} {
		b := &book{agent: of.root == facts.QGA}
		var err error
		if b.Schema, err = facts.Load(release, of.root); err != nil {
			return nil, err
		}
		if b.texts, err = descriptions.Load(texts(of.target)); err != nil {
			return nil, err
		}
		if b.releases, err = descriptions.LoadReleases(texts(of.target)); err != nil {
			return nil, err
		}
		l.books = append(l.books, b)
	}
	var err error
	if l.devices, err = facts.Devices(nearest(facts.DeviceReleases(), release)); err != nil {
		return nil, err
	}
	l.aboutDevices, l.aboutProperties, err = descriptions.LoadDevices(texts("device"))
	return l, err
}

// nearest returns the newest of some sorted releases that is not newer than another one.
func nearest(releases []string, release string) string {
	best := releases[0]
	for _, r := range releases {
		if versions.Compare(r, release) <= 0 {
			best = r
		}
	}
	return best
}

// Lookup returns what is known about a name: a command, an event, a type or a device. With
// a path after the name it is about a part, such as blockdev-add/driver=qcow2 or
// query-block->inserted. The error for an unknown name suggests similar ones.
func (l *Library) Lookup(name string) (*Entry, error) {
	head, path, _ := strings.Cut(strings.TrimPrefix(name, "event "), "/")
	head, result, hasResult := strings.Cut(head, "->")
	if result != "" {
		path = strings.TrimSuffix(result+"/"+path, "/")
	}
	for _, b := range l.books {
		def := b.Lookup(head)
		switch {
		case def == nil:
			continue
		case hasResult:
			return l.part(b, def, "->", path)
		case path != "":
			return l.part(b, def, "", path)
		}
		return l.definition(b, def), nil
	}
	if t := l.deviceType(head); t != nil && !hasResult {
		return l.device(t, path)
	}
	return nil, l.unknown(head)
}

// In returns which releases have a command that not all of them have, such as "QEMU 7.1 and later", or "".
func In(command string) string {
	for _, target := range []string{"qmp", "qga"} {
		releases, err := descriptions.LoadReleases(texts(target))
		if in := releases[command].In; err == nil && in != "" {
			return in
		}
	}
	return ""
}

// unknown returns the error for a name that the release does not have.
func (l *Library) unknown(name string) error {
	for _, b := range l.books {
		r := b.releases[name]
		switch {
		case r.Now != "":
			return fmt.Errorf("QEMU %s has no %q; its name is %s today", l.Release, name, r.Now)
		case r.In != "":
			return fmt.Errorf("QEMU %s has no %q: it is in %s%s; -r chooses a release", l.Release, name, r.In, replacement(r))
		}
	}
	return fmt.Errorf("there is no %q in QEMU %s%s", name, l.Release, guess(name, l.names()))
}

// replacement returns, in words, what replaces something that was removed.
func replacement(r descriptions.Release) string {
	instead, none := strings.CutPrefix(r.Instead, "; ")
	switch {
	case instead == "":
		return ""
	case none:
		return ", and " + instead
	}
	return ", and " + instead + " has replaced it"
}

// names returns all names that Lookup knows.
func (l *Library) names() []string {
	var names []string
	for _, b := range l.books {
		for _, def := range b.Definitions() {
			names = append(names, def.Def().Name)
		}
	}
	for _, t := range l.devices.Types {
		names = append(names, t.Name)
		if t.Alias != "" {
			names = append(names, t.Alias)
		}
	}
	for _, at := range kinds {
		for _, b := range l.books {
			if def := b.Lookup(at.command); def != nil {
				for _, value := range tagValues(def, at.tag) {
					names = append(names, at.command+"/"+at.tag+"="+value)
				}
			}
		}
	}
	return names
}

// kinds are commands that create things of many kinds: people search for these by the names of the
// kinds.
var kinds = []struct{ command, tag string }{
	{"blockdev-add", "driver"}, {"object-add", "qom-type"}, {"netdev_add", "type"}, {"block-export-add", "type"},
}

// guess returns "; did you mean …?" with the most likely names.
func guess(name string, names []string) string {
	var found []string
	lower := strings.ToLower(name)
	add := func(matches func(other string) bool) {
		for _, other := range names {
			if len(found) < 4 && !slices.Contains(found, other) && matches(strings.ToLower(other)) {
				found = append(found, other)
			}
		}
	}
	add(func(other string) bool { return other == lower || strings.HasSuffix(other, "="+lower) })
	for d := range max(1, len(name)/3) + 1 {
		if len(found) == 0 {
			add(func(other string) bool { return distance(lower, other) == d })
		}
	}
	if len(found) == 0 && len(name) > 2 {
		add(func(other string) bool { return strings.Contains(other, lower) && !strings.Contains(other, "=") })
	}
	if len(found) == 0 {
		return ""
	}
	return "; did you mean " + arguments.OrList(found) + "?"
}

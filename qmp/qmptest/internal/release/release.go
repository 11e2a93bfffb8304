// Package release knows the interface of each QEMU release, and of its guest
// agent: which commands and events it has, and what fits their types.
package release

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// A Release is the interface of one QEMU or guest agent, as an ordinary build for
// Linux on x86-64 has it.
type Release struct {
	Name string // such as "10.0"

	schema *schema.Schema
	newest *schema.Schema
	types  func() []byte // made once
}

type key struct{ name, root string }

var loaded sync.Map // func() (*Release, error) by key: each is read once

// Load returns a release, which is one of qemu.Releases; root is qemu.QMP or
// qemu.QGA.
func Load(name, root string) (*Release, error) {
	once, _ := loaded.LoadOrStore(key{name, root}, sync.OnceValues(func() (*Release, error) {
		return load(name, root)
	}))
	return once.(func() (*Release, error))()
}

func load(name, root string) (*Release, error) {
	s, err := qemu.Load(name, root)
	if err != nil {
		return nil, err
	}
	r := &Release{Name: name, schema: s, newest: s}
	r.types = sync.OnceValue(r.introspect)
	if last := Newest(); last != name {
		newest, err := Load(last, root)
		if err != nil {
			return nil, err
		}
		r.newest = newest.schema
	}
	return r, nil
}

// Newest returns the name of the newest release.
func Newest() string {
	list := qemu.Releases()
	return list[len(list)-1]
}

// Nearest returns the release that stands for a version, such as "8.1": the newest
// that is not newer, or the oldest.
func Nearest(version string) string {
	list := qemu.Releases()
	found := list[0]
	for _, name := range list {
		if qemu.Compare(name, version) <= 0 {
			found = name
		}
	}
	return found
}

// Before reports whether the release is older than another.
func (r *Release) Before(other string) bool { return qemu.Compare(r.Name, other) < 0 }

// Command returns a command that the release has, or nil.
func (r *Release) Command(name string) *schema.Command {
	if c, ok := r.schema.Lookup(name).(*schema.Command); ok && r.holds(c.If) {
		return c
	}
	return nil
}

// Event returns an event that the release has, or nil.
func (r *Release) Event(name string) *schema.Event {
	if e, ok := r.schema.Lookup(name).(*schema.Event); ok && r.holds(e.If) {
		return e
	}
	return nil
}

// Commands lists the commands that the release has, by name.
func (r *Release) Commands() []string {
	var names []string
	for _, c := range r.schema.Commands() {
		if r.holds(c.If) {
			names = append(names, c.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Events lists the events that the release has, by name.
func (r *Release) Events() []string {
	var names []string
	for _, e := range r.schema.Events() {
		if r.holds(e.If) {
			names = append(names, e.Name)
		}
	}
	slices.Sort(names)
	return names
}

// CheckClass reports what is wrong with an error's class.
func (r *Release) CheckClass(class string) error {
	e, ok := r.newest.Lookup("QapiErrorClass").(*schema.Enum)
	if !ok || e.Value(class) != nil { // the agent's schema does not list them
		return nil
	}
	return fmt.Errorf("there is no error class %q; there are %s", class, r.valuesOf(e))
}

// absent are the conditions that are false in the builds for x86-64 that Linux
// distributions ship, or true only from a release on; all other conditions are true.
var absent = map[string]string{
	"CONFIG_WIN32":               never,
	"CONFIG_FREEBSD":             never,
	"CONFIG_COCOA":               never,
	"CONFIG_VMNET":               never,
	"CONFIG_AUDIO_COREAUDIO":     never,
	"CONFIG_AUDIO_DSOUND":        never,
	"CONFIG_AUDIO_SNDIO":         never,
	"CONFIG_AF_XDP":              never,
	"CONFIG_IGVM":                never,
	"CONFIG_PASST":               "11.0",
	"CONFIG_QPL":                 never,
	"CONFIG_UADK":                never,
	"CONFIG_QATZIP":              never,
	"CONFIG_BLKIO":               "8.0",
	"CONFIG_BLKIO_VHOST_VDPA_FD": "8.0",
	"CONFIG_EBPF":                "8.0",
	"CONFIG_ZSTD":                "7.0",
}

const never = "999"

// holds reports whether a condition is true.
func (r *Release) holds(c *schema.Cond) bool {
	switch {
	case c == nil:
		return true
	case c.Not != nil:
		return !r.holds(c.Not)
	case len(c.All) > 0:
		return !slices.ContainsFunc(c.All, func(each *schema.Cond) bool { return !r.holds(each) })
	case len(c.Any) > 0:
		return slices.ContainsFunc(c.Any, r.holds)
	case strings.HasPrefix(c.Symbol, "TARGET_"):
		return c.Symbol == "TARGET_I386" || c.Symbol == "TARGET_X86_64"
	}
	since, known := absent[c.Symbol]
	return !known || !r.Before(since)
}

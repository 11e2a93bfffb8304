package qapi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qmp/bind"
)

// Capabilities are what a server supports, according to its reply to query-qmp-schema.
type Capabilities struct {
	entries map[string]SchemaInfo // by name; QEMU makes up the names of types
}

// Introspect asks a server for its capabilities. The answer, some 200 KiB, is
// fetched once per connection. It works with every release of QEMU.
func Introspect(ctx context.Context, c *Client) (*Capabilities, error) {
	return bind.Once(ctx, c.conn, func(ctx context.Context) (*Capabilities, error) {
		list, err := c.QueryQMPSchema(ctx)
		if err != nil {
			return nil, err
		}
		return NewCapabilities(list), nil
	})
}

// NewCapabilities returns the capabilities in a reply to query-qmp-schema.
func NewCapabilities(list []SchemaInfo) *Capabilities {
	c := &Capabilities{make(map[string]SchemaInfo, len(list))}
	for _, info := range list {
		c.entries[info.Name] = info
	}
	return c
}

// Supports reports whether the server has what a path names. A path begins with a
// command, or with "event " and an event, and may continue with a part of it:
//
//	blockdev-add                            the command
//	migrate/channels                        an argument
//	blockdev-add/driver=nvme-io_uring       a value of an enum
//	blockdev-add/driver=qcow2/discard-no-unref
//	                                        a member of that variant
//	query-block->inserted/node-name         a member of the reply
//	event BLOCK_IO_ERROR/qom-path           a member of the event
//	screendump/format/@unstable             a feature of what is named before it
//
// A member of a list or an alternate is one of its elements or branches. Where no value of
// a union's tag is given, a member of any variant counts. If the server does not list the
// values of a member, Supports returns false; the error of [Capabilities.Check] shows
// whether this is the reason.
//
// The function [Supports] has paths for devices, machines and more, which are not in this reply.
//
// Supports also returns false for a misspelt path. CheckPaths of package qmp/qmptest finds
// those in a test: it fails for a path that no release of QEMU has.
func (c *Capabilities) Supports(path string) bool { return c.Check(path) == nil }

// ErrNotListed is wrapped by the error of [Capabilities.Check] if the server does not
// list the values of a member, but says that it is any string, such as qom-type of
// object-add in QEMU 5.2: whether it supports the value is not known.
var ErrNotListed = errors.New("the server does not list its values")

// Check is like Supports, but returns the reason: which part of the path the server lacks.
func (c *Capabilities) Check(path string) error {
	head, steps, below := strings.Cut(path, "/")
	at, err := c.start(head)
	if err != nil {
		return fmt.Errorf("qapi: %q: %w", path, err)
	}
	if !below {
		return nil
	}
	for step := range strings.SplitSeq(steps, "/") {
		if at, err = c.step(at, step); err != nil {
			return fmt.Errorf("qapi: %q: %w", path, err)
		}
	}
	return nil
}

// A place is the command, event or part that is named by the part of a path that was read so far.
type place struct {
	name     string
	features []string
	types    []string // the types whose members may come next; empty after the value of an enum
}

// start finds the command or event with which a path begins. If the path is about the
// reply, "->" and its first step follow the command.
func (c *Capabilities) start(head string) (place, error) {
	if name, ok := strings.CutPrefix(head, "event "); ok {
		info := c.entries[name]
		event, ok := info.MetaType.(SchemaInfoEvent)
		if !ok {
			return place{}, fmt.Errorf("the server has no event %q", name)
		}
		return place{name, info.Features, []string{event.ArgType}}, nil
	}
	name, member, reply := strings.Cut(head, "->")
	info := c.entries[name]
	command, ok := info.MetaType.(SchemaInfoCommand)
	if !ok {
		return place{}, fmt.Errorf("the server has no command %q", name)
	}
	at := place{name, info.Features, []string{command.ArgType}}
	if !reply {
		return at, nil
	}
	at.types = []string{command.RetType}
	if member == "" {
		return at, nil
	}
	return c.step(at, member)
}

// step follows one step of a path: a feature, a member, or a value of a member.
func (c *Capabilities) step(at place, step string) (place, error) {
	if feature, ok := strings.CutPrefix(step, "@"); ok {
		if !slices.Contains(c.featuresAt(at), feature) {
			return place{}, fmt.Errorf("%s has no feature %q", at.name, feature)
		}
		return place{name: step}, nil
	}
	name, value, valued := strings.Cut(step, "=")
	found := place{name: name}
	var unions []SchemaInfoObject // the unions whose tag is this member
	for _, t := range c.reach(at.types...) {
		o, _ := c.entries[t].MetaType.(SchemaInfoObject)
		for _, m := range o.Members {
			if m.Name == name {
				found.features = append(found.features, m.Features...)
				found.types = append(found.types, m.Type)
				if Value(o.Tag) == name {
					unions = append(unions, o)
				}
			}
		}
	}
	switch {
	case found.types == nil:
		return place{}, fmt.Errorf("%s has no member %q", at.name, name)
	case valued:
		return c.value(found, unions, value)
	}
	return found, nil
}

// featuresAt returns the features of a place and of its type.
func (c *Capabilities) featuresAt(at place) []string {
	features := slices.Clone(at.features)
	for _, t := range at.types {
		features = append(features, c.entries[t].Features...)
	}
	return features
}

// value follows the step to a value of the enum at a place. If the place is the tag of unions, the members
// of their variants may come next.
func (c *Capabilities) value(at place, unions []SchemaInfoObject, value string) (place, error) {
	found, listed, anyString := place{name: at.name + "=" + value}, false, false
	for _, t := range c.reach(at.types...) {
		switch info := c.entries[t].MetaType.(type) {
		case SchemaInfoEnum:
			listed = listed || slices.Contains(info.Values, value)
			for _, v := range info.Members {
				if v.Name == value {
					found.features = append(found.features, v.Features...)
				}
			}
		case SchemaInfoBuiltin:
			anyString = anyString || info.JSONType == JSONTypeString
		}
	}
	switch {
	case !listed && anyString:
		return place{}, fmt.Errorf("%s is any string: %w", at.name, ErrNotListed)
	case !listed:
		return place{}, fmt.Errorf("%s has no value %q", at.name, value)
	}
	for _, u := range unions {
		for _, variant := range u.Variants {
			if variant.Case == value {
				found.types = append(found.types, variant.Type)
			}
		}
	}
	return found, nil
}

// reach returns types and the types in them, each once: the elements of a list, the
// branches of an alternate, and after an object its variants. The types of a broken
// server could contain each other.
func (c *Capabilities) reach(types ...string) []string {
	var found []string
	seen := map[string]bool{}
	for queue := slices.Clone(types); len(queue) > 0; queue = queue[1:] {
		t := queue[0]
		if seen[t] {
			continue
		}
		seen[t] = true
		found = append(found, t)
		switch v := c.entries[t].MetaType.(type) {
		case SchemaInfoArray:
			queue = append(queue, v.ElementType)
		case SchemaInfoAlternate:
			for _, m := range v.Members {
				queue = append(queue, m.Type)
			}
		case SchemaInfoObject:
			for _, variant := range v.Variants {
				queue = append(queue, variant.Type)
			}
		}
	}
	return found
}

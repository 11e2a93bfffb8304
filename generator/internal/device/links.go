package device

import (
	"github.com/goqapi/goqapi/generator/internal/names"
	"github.com/goqapi/goqapi/schema"
)

// link turns names of devices, commands and events in the descriptions into links.
func (b *builder) link() {
	known := map[string]bool{}
	for _, g := range b.groups() {
		for _, name := range g.names {
			known[name] = true
		}
	}
	goName := func(name string) string {
		if known[name] {
			return goName(name)
		}
		switch b.qapi.Lookup(name).(type) {
		case *schema.Command:
			return "qapi.Client." + names.Exported(name)
		case *schema.Event:
			return "qapi." + names.Event(name) + "Event"
		}
		return ""
	}
	b.opts.Devices = b.opts.Devices.Link(goName)
	b.opts.Properties = b.opts.Properties.Link(goName)
}

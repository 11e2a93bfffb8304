package plan

import (
	"github.com/goqapi/goqapi/generator/internal/names"
	"github.com/goqapi/goqapi/schema"
)

// linkTarget returns the Go name for a QAPI name in a description; "" if
// nothing has that name.
func (b *builder) linkTarget(name string) string {
	switch d := b.schema.Lookup(name).(type) {
	case nil:
		return ""
	case *schema.Command:
		return "Client." + names.Exported(name)
	case *schema.Event:
		return names.Event(name) + "Event"
	case *schema.Struct:
		if b.uses.bases[d] || b.uses.wrappers[d] {
			return ""
		}
		if v, ok := b.variantNames()[d]; ok {
			return v
		}
	}
	return names.Exported(name)
}

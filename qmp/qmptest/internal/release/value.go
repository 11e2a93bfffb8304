package release

import (
	"slices"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// RefuseValue returns the release's error for a value of a type, or "" if it accepts it. A type whose
// name ends in List is a list. known is false if the release does not have the type.
func (r *Release) RefuseValue(parameter, typ string, value []byte) (refusal string, known bool) {
	t := r.typeOf(typ)
	if t == nil {
		return "", false
	}
	v, err := parse(value)
	if err != nil {
		return err.Error(), true
	}
	f := &fitter{rel: r, args: true}
	f.value(t, nil, v, parameter)
	if len(f.misfits) == 0 {
		return "", true
	}
	return f.misfits[0].refusal, true
}

// scalars are the types of the language that properties can have.
var scalars = []schema.Builtin{
	schema.Str, schema.Bool, schema.Size, schema.Int, schema.Int8, schema.Int16, schema.Int32, schema.Int64,
	schema.Uint8, schema.Uint16, schema.Uint32, schema.Uint64,
}

func (r *Release) typeOf(name string) schema.Type {
	if b := schema.Builtin(name); slices.Contains(scalars, b) {
		return b
	}
	if t, ok := r.schema.Lookup(name).(schema.Type); ok {
		return t
	}
	if elem, ok := strings.CutSuffix(name, "List"); ok {
		if t := r.typeOf(elem); t != nil {
			return &schema.Array{Elem: t}
		}
	}
	return nil
}

package plan

import (
	"github.com/goqapi/goqapi/generator/internal/names"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/merge"
)

// aliases plans the names that types had in older releases, so that code which uses them
// still compiles.
func (b *builder) aliases() {
	for _, a := range b.history.Aliases {
		switch now := a.Now.(type) {
		case *schema.Enum:
			b.aliasEnum(a, b.enums[now])
		case *schema.Union:
			b.aliasUnion(a, b.unions[now])
		case *schema.Alternate:
			b.alias(a.Old, names.Exported(a.Old), b.alternates[now].Name)
		case *schema.Struct:
			st := b.structs[now]
			if st == nil || a.Old != "" && !hadType(a) {
				continue
			}
			if made := b.alias(a.Old, aliasName(a), st.Name); made != nil {
				made.Newer = a.Newer
			}
		}
	}
}

// aliasName returns the Go name that a type had.
func aliasName(a merge.Alias) string {
	if a.Args != "" {
		return names.Exported(a.Args) + "Args"
	}
	return names.Exported(a.Old)
}

// hadType reports whether a struct had a Go type with its own name: one that only a union
// used did not.
func hadType(a merge.Alias) bool {
	st := a.Was.(*schema.Struct)
	u := usesOf(a.WasIn)
	return !u.bases[st] && !u.wrappers[st] && (u.data[st] || len(u.branches[st]) != 1)
}

func (b *builder) alias(old, name, now string) *Alias {
	if name == now {
		return nil // the old name differs only in case
	}
	if err := b.names.take(name, "the older name of "+now); err != nil {
		b.errorf(schema.Pos{}, "%v", err)
	}
	a := &Alias{QAPI: old, Name: name, Of: now}
	b.pkg.Aliases = append(b.pkg.Aliases, a)
	return a
}

func (b *builder) aliasEnum(a merge.Alias, now *Enum) {
	made := b.alias(a.Old, names.Exported(a.Old), now.Name)
	if made == nil {
		return
	}
	for _, v := range a.Was.(*schema.Enum).Values {
		suffix := names.Suffix(v.Name)
		made.Values = append(made.Values, AliasValue{made.Name + suffix, now.Name + suffix})
	}
}

func (b *builder) aliasUnion(a merge.Alias, now *Union) {
	if a.Old == "" {
		b.alias("", aliasName(a), now.Name)
		return
	}
	if b.alias(a.Old, names.Exported(a.Old), now.Name) == nil {
		return
	}
	b.alias("", names.Exported(a.Old)+"Variant", now.Sum)
	was, ok := a.Was.(*schema.Union)
	if !ok {
		return
	}
	for _, v := range was.Tag().Values {
		suffix := names.Suffix(v.Name)
		b.alias("", names.Exported(a.Old)+suffix, now.Name+suffix)
	}
}

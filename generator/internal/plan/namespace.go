package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// A namespace holds the names that a package declares. It refuses equal names, and
// names that differ only in case, which readers would confuse.
type namespace struct {
	idents, methods map[string]taken // by name in lower case
}

type taken struct{ name, by string }

func newNamespace() *namespace {
	n := &namespace{idents: map[string]taken{}, methods: map[string]taken{}}
	for name, use := range reservedIdents {
		n.idents[strings.ToLower(name)] = taken{name, use}
	}
	for name, use := range reservedMethods {
		n.methods[strings.ToLower(name)] = taken{name, use}
	}
	return n
}

// reservedIdents are the names that every package of bindings declares in addition to those
// of the schema.
var reservedIdents = map[string]string{
	"Client":          "the client's type",
	"Dial":            "the function that connects",
	"NewClient":       "the function that makes a client of a connection",
	"Event":           "the interface of all events",
	"UnknownEvent":    "the event that the bindings do not know",
	"Subscribe":       "the function that subscribes to one kind of event",
	"SubscribeEvents": "the function that subscribes to several kinds of event",
	"Unknown":         "the variant that the bindings do not know",
}

// reservedMethods are the methods of a client that are not commands.
var reservedMethods = map[string]string{
	"Conn":  "the method that returns the connection",
	"With":  "the method that sets options for calls",
	"Close": "the method that closes the connection",
}

func (n *namespace) take(name, by string) error       { return take(n.idents, name, by) }
func (n *namespace) takeMethod(name, by string) error { return take(n.methods, name, by) }

// differInCase has names that differ from another one only in case, with the reason why
// both exist.
var differInCase = map[string]string{
	"SGXEPCSection": "QEMU 10.1 wrote this type's name in another case",
}

func take(names map[string]taken, name, by string) error {
	key := strings.ToLower(name)
	if other, ok := names[key]; ok && (other.name == name || differInCase[name] == "") {
		return fmt.Errorf("%s becomes %s in Go, and so does %s (as %s)", by, name, other.by, other.name)
	}
	names[key] = taken{name, by}
	return nil
}

// checkMembers refuses structs in which two fields, or a field and a method,
// have one name.
func (b *builder) checkMembers() {
	for _, f := range b.pkg.Files {
		for _, decl := range f.Decls {
			at := b.places[decl]
			switch d := decl.(type) {
			case *Struct:
				b.checkStruct(d, at)
			case *Union:
				methods := map[string]taken{}
				b.takeMembers(methods, at, d.Name, slices.Concat(codecMethods, PrintMethods)...)
				b.takeFields(methods, at, d.Name, d.Fields)
			case *Command:
				if d.Own != nil {
					b.checkStruct(d.Own, at)
				}
			case *Event:
				members := map[string]taken{}
				b.takeMembers(members, at, d.Struct.Name, "EventName", "EventTime")
				for _, f := range d.Own {
					b.takeMembers(members, at, d.Struct.Name, f.Name)
				}
				b.takeFields(members, at, d.Struct.Name, d.Struct.Fields)
			}
		}
	}
}

// PrintMethods are the methods that print types that can hold a secret; all unions are such
// types.
var PrintMethods = []string{"String", "GoString", "LogValue"}

var codecMethods = []string{"MarshalJSON", "UnmarshalJSON", "MarshalJSONTo", "UnmarshalJSONFrom"}

// unknownFields are the fields of the variant that the bindings do not know.
var unknownFields = []string{"Tag", "JSON"}

// nameTagMethods chooses, for each discriminator's enum, the name of the variants' method
// that returns the tag: the enum's name, unless a variant has a field or another method of
// that name.
func (b *builder) nameTagMethods() {
	methods := map[string]bool{}
	for _, name := range slices.Concat(unknownFields, codecMethods, PrintMethods) {
		methods[strings.ToLower(name)] = true
	}
	fields := map[*Enum]map[string]bool{}
	for _, u := range b.pkg.Unions {
		if fields[u.Enum] == nil {
			fields[u.Enum] = map[string]bool{}
		}
		for _, v := range u.Variants {
			for _, f := range v.fields() {
				fields[u.Enum][strings.ToLower(f.Name)] = true
			}
		}
	}
	for _, u := range b.pkg.Unions {
		e := u.Enum
		if e == nil || e.TagMethod != "" {
			continue
		}
		name := e.Name
		for key := strings.ToLower(name); methods[key] || fields[e][key]; key += "tag" {
			name += "Tag"
		}
		methods[strings.ToLower(name)] = true
		e.TagMethod = name
	}
}

// fields returns the fields of a variant's Go type.
func (v *Variant) fields() []*Field {
	switch {
	case v.Struct != nil:
		return v.Struct.Fields
	case v.Over.Union != nil:
		return v.Over.Union.Fields
	}
	return nil
}

func (b *builder) checkStruct(st *Struct, at schema.Pos) {
	members := map[string]taken{}
	b.takeMembers(members, at, st.Name, codecMethods...)
	if st.Props != "" {
		b.takeMembers(members, at, st.Name, st.Props)
	}
	b.takeFields(members, at, st.Name, st.Fields)
}

func (b *builder) takeMembers(members map[string]taken, at schema.Pos, of string, names ...string) {
	for _, name := range names {
		if err := take(members, name, "a part that every "+of+" has"); err != nil {
			b.errorf(at, "%s: %v", of, err)
		}
	}
}

func (b *builder) takeFields(members map[string]taken, at schema.Pos, of string, fields []*Field) {
	for _, f := range fields {
		if err := take(members, f.Name, "member '"+f.QAPI+"'"); err != nil {
			b.errorf(at, "%s: %v", of, err)
		}
	}
}

package emit

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// A type can hold a secret if it has one, or contains a type that can hold one, at any depth and in
// circles.
func TestHolders(t *testing.T) {
	str := plan.Type{Kind: plan.String, Name: "string"}
	object := func(name string) plan.Type { return plan.Type{Kind: plan.Object, Name: name} }
	list := func(elem plan.Type) plan.Type { return plan.Type{Kind: plan.List, Elem: &elem} }
	field := func(name string, t plan.Type) *plan.Field { return &plan.Field{Facts: plan.Facts{QAPI: name}, Type: t} }
	tag := field("qom-type", plan.Type{Kind: plan.Interface, Name: "UVariant"})
	u := &plan.Union{Name: "U", Fields: []*plan.Field{tag}, Discriminator: tag}
	props := &plan.Struct{Name: "Props", Fields: []*plan.Field{field("data", str)}}
	for _, value := range []string{"secret", "iothread"} {
		u.Variants = append(u.Variants, &plan.Variant{
			Union: u, Name: "U-" + value, Value: &plan.Value{Facts: plan.Facts{QAPI: value}},
			Form: plan.Over, Over: object("Props"), Struct: props,
		})
	}
	harmless := &plan.Union{Name: "Tame", Fields: []*plan.Field{tag}, Discriminator: tag}
	got, err := holders(&plan.Package{Files: []*plan.File{{Decls: []plan.Decl{
		&plan.Struct{Name: "Password", Fields: []*plan.Field{field("password", str)}},
		&plan.Struct{Name: "Outer", Fields: []*plan.Field{field("a", list(object("Middle")))}},
		&plan.Struct{Name: "Middle", Fields: []*plan.Field{field("b", object("Password")), field("c", object("Outer"))}},
		&plan.Struct{Name: "Harmless", Fields: []*plan.Field{field("id", str), field("other", object("Harmless"))}},
		&plan.Struct{Name: "Anything", Fields: []*plan.Field{field("value", plan.Type{Kind: plan.Raw})}},
		&plan.Alternate{Name: "Alternate", Branches: []*plan.Branch{{Type: str}, {Type: object("Outer")}}},
		&plan.Command{Own: &plan.Struct{Name: "Args", Props: "Props"}},
		&plan.Event{Struct: &plan.Struct{Name: "Event"}, Data: new(object("U"))},
		u, harmless, props,
		&plan.Struct{Name: "AroundHarmless", Fields: []*plan.Field{field("a", object("Tame"))}},
	}}}, Unions: []*plan.Union{u, harmless}})
	require.NoError(t, err)
	want := map[string]bool{
		"Unknown": true, "Password": true, "Outer": true, "Middle": true, "Anything": true, "Alternate": true,
		"Args": true, "Event": true, "U": true, "U-secret": true, "Tame": true,
	}
	for name, is := range got {
		assert.Equal(t, want[name], is, name)
	}
	for name := range want {
		assert.True(t, got[name], name)
	}
}

// Only a type with methods that print it cannot have a member of that name.
func TestPrintMethodsAreTaken(t *testing.T) {
	st := &plan.Struct{Name: "S", Fields: []*plan.Field{
		{Facts: plan.Facts{QAPI: "string"}, Name: "String", Type: plan.Type{Kind: plan.String, Name: "string"}},
	}}
	p := &plan.Package{Name: "p", Dial: "Dial", Files: []*plan.File{{Name: "s_gen.go", Decls: []plan.Decl{st}}}}
	_, err := Files(p)
	require.NoError(t, err)
	st.Props = "Props"
	_, err = Files(p)
	assert.EqualError(t, err, "S can hold a secret and therefore has a method String, but its member 'string' also has that name")
}

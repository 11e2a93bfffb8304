package devices

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
)

// example has each construct of the text form.
const example = header + `
release 11.1
binary x86_64 11.1.3
binary aarch64 11.1.3
binary s390x 11.1.2

device abstract

bus-less < device
	"a property" "guest statistics" read-only
	slash a/b/

pci-device < device abstract bus=PCI
	acpi-index uint32 =0
	addr str/pci-address =-1

e1000 < pci-device category=Network on=x86_64,aarch64 alias=e alias-on=aarch64
	addr absent on=aarch64
	mac str/mac
	queues uint32 =1 on=aarch64
	queues uint16 =1 on=x86_64

mch < pci-device no-user on=x86_64
piix < pci-device no-user on=x86_64
vga < pci-device category=Display unasked=s390x
`

func exampleList() *List {
	all := []string{"x86_64", "aarch64"}
	return &List{
		Release:  "11.1",
		Binaries: []Binary{{"x86_64", "11.1.3"}, {"aarch64", "11.1.3"}, {"s390x", "11.1.2"}},
		Types: []*Type{
			{Name: "device", Abstract: true},
			{Name: "bus-less", Parent: "device", Props: []Prop{
				{Name: "a property", Type: "guest statistics", ReadOnly: true},
				{Name: "slash", Type: "a/b"},
			}},
			{Name: "pci-device", Parent: "device", Abstract: true, Bus: "PCI", Props: []Prop{
				{Name: "acpi-index", Type: "uint32", Default: "0"},
				{Name: "addr", Type: "str", Kind: KindPCIAddr, Default: "-1"},
			}},
			{Name: "e1000", Parent: "pci-device", Bus: "PCI", Category: "Network", Targets: all, Alias: "e", AliasTargets: all[1:], Props: []Prop{
				{Name: "addr", Absent: true, Targets: all[1:]},
				{Name: "mac", Type: "str", Kind: KindMAC},
				{Name: "queues", Type: "uint32", Default: "1", Targets: all[1:]},
				{Name: "queues", Type: "uint16", Default: "1", Targets: all[:1]},
			}},
			{Name: "mch", Parent: "pci-device", NoUser: true, Bus: "PCI", Targets: all[:1]},
			{Name: "piix", Parent: "pci-device", NoUser: true, Bus: "PCI", Targets: all[:1]},
			{Name: "vga", Parent: "pci-device", Bus: "PCI", Category: "Display", Unasked: []string{"s390x"}},
		},
	}
}

func diff(a, b any) string { return cmp.Diff(a, b, cmpopts.IgnoreUnexported(List{})) }

func TestParseFormat(t *testing.T) {
	want := exampleList()
	require.Equal(t, example, string(want.Format()))
	got, err := Parse("devices.txt", []byte(example))
	require.NoError(t, err)
	require.Empty(t, diff(want, got))
}

func TestParseErrors(t *testing.T) {
	head := "release 1.0\nbinary a 1\nbinary b 1\n"
	for _, c := range []struct{ text, err string }{
		{"", "x:1: there is no line that names the release"},
		{"# comment\n\n", "x:2: there is no line that names the release"},
		{"release 1.0\nrelease 1.1\n", "x:2: there are two lines that name the release; the first says 1.0"},
		{`release ""`, "x:1: the release has no name"},
		{"release 1.0\nbinary a 1\nbinary a 2", "x:3: the target a is named twice"},
		{"release 1.0\nbinary a,b 1", `x:2: the binary's target "a,b" is not a name`},
		{head + "device\nbinary c 1", "x:5: a binary comes before all types"},
		{head + "\tname str", "x:4: a property comes after a type"},
		{head + "t\nu\nt", `x:6: the type "t" is defined twice, or has no name`},
		{head + `""`, `x:4: the type "" is defined twice, or has no name`},
		{head + "t < device", "x:4: type t: its parent device does not exist, or comes after it"},
		{head + "t abstract no-user abstract", "x:4: type t: abstract is given twice"},
		{head + "t bus=a bus=b", "x:4: type t: bus is given twice"},
		{head + "t really", `x:4: type t: the word "really" is not known`},
		{head + "t color=red", `x:4: type t: the word "color=" is not known in the line of a type`},
		{head + "t on=a,c", `x:4: type t: the target "c" is not one of a, b`},
		{head + "t on=b,a", "x:4: type t: the target a is named twice, or out of order"},
		{head + "t on=a\nu < t on=b", "x:5: type u: its parent is not on the target b"},
		{head + "t on=a unasked=b", "x:4: type t: it is not on the target b"},
		{head + "t on=a alias=u alias-on=a,b", "x:4: type t: it is not on the target b"},
		{head + "t  abstract", "x:4: there are two spaces, or one at the end"},
		{head + "t ", "x:4: there are two spaces, or one at the end"},
		{head + `"t`, `x:4: a word is not quoted as in Go: "t`},
		{head + `"t"u`, `x:4: no space follows the word "t"`},
		{head + "t\n\tp", "x:5: a property of t has no name or no type"},
		{head + "t\n\tp str/nice", `x:5: t.p: the kind "nice" is not known`},
		{head + "t\n\tp /mac", "x:5: t.p: it has no type"},
		{head + "t\n\tp str =0 =1", `x:5: t.p: the word "=1" is not known, or given twice`},
		{head + "t\n\tp str =yes", `x:5: t.p: the default "yes" is not JSON`},
		{head + "t\n\tp str good", `x:5: t.p: the word "good" is not known, or given twice`},
		{head + "t on=a\n\tp str on=b", `x:5: t.p: the target "b" is not one of a`},
		{head + "t\n\tq str\n\tp str", "x:6: t.p: it is out of order: it comes before q"},
		{head + "t\n\tp str\n\tp bool", "x:6: t.p: it is given twice on a"},
		{head + "t\n\tp str on=b\n\tp bool on=a,b", "x:6: t.p: it is given twice on b"},
		{head + "t\n\tp absent =0", "x:5: t.p: it is absent, but is also described"},
	} {
		_, err := Parse("x", []byte(c.text))
		require.EqualError(t, err, c.err, "%q", c.text)
	}
}

// FuzzParse checks that Format writes what Parse has accepted as text that Parse accepts again, with
// the same meaning.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("release 1\nbinary a 1\nt\n\tp absent/x\n")
	f.Add("release \"\\x00\"\nbinary a \"\"\n\"#t\" bus== alias=\" \"\n\"<\" < \"#t\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse("x", []byte(text))
		if err != nil {
			require.Regexp(t, "^x:", err, "no line")
			return
		}
		formatted := l.Format()
		again, err := Parse("again", formatted)
		require.NoError(t, err, "%s", formatted)
		require.Empty(t, diff(l, again), "%s", formatted)
		for _, typ := range l.Types {
			l.Props(typ)
		}
	})
}

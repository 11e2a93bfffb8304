package devices

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// flat returns what one binary reports: each type has all its properties.
func flat(t *testing.T, target, types string) *List {
	t.Helper()
	l, err := Parse(target, []byte("release 1.0\nbinary "+target+" 1.0.1\ndevice abstract\n"+types))
	require.NoError(t, err)
	return l
}

// body returns the text of a list after its binaries.
func body(l *List) string {
	_, text, _ := strings.Cut(string(l.Format()), "\n\n")
	return text
}

func TestJoin(t *testing.T) {
	const pci = "pci < device abstract\n"
	for _, c := range []struct {
		name string
		said []*List // their targets are a, b
		want string
	}{
		{"a property that all have moves to the parent, in the most frequent form", []*List{
			flat(t, "a", pci+"x < pci\n\tp str\n\tq bool =true\ny < pci\n\tp str\n\tq bool =false\n\tr str\nz < pci\n\tp str\n\tq bool =true\n"),
		}, "device abstract\n\npci < device abstract\n\tp str\n\tq bool =true\n\nx < pci\n\ny < pci\n\tq bool =false\n\tr str\n\nz < pci\n"},
		{"not to a parent of one type only", []*List{
			flat(t, "a", pci+"mid < pci abstract\nx < mid\n\tp str\n\tq str\ny < pci\n\tp str\n"),
		}, "device abstract\n\npci < device abstract\n\tp str\n\nmid < pci abstract\n\nx < mid\n\tq str\n\ny < pci\n"},
		{"a device can be a parent, and its child lack something", []*List{
			flat(t, "a", "x < device\n\tp str\n\tq str\ny < x\n\tp str\n\tq absent\n\tr str\n"),
		}, "device abstract\n\nx < device\n\tp str\n\tq str\n\ny < x\n\tq absent\n\tr str\n"},
		{"targets", []*List{
			flat(t, "a", pci+"x < pci alias=ex\n\tp str\n\tq str\ny < pci\n\tp str\n"),
			flat(t, "b", pci+"x < pci\n\tp str\n\tr str\nz < pci\n\tp bool\n"),
		}, "device abstract\n\npci < device abstract\n\tp str\n\nx < pci alias=ex alias-on=a\n\tq str on=a\n\tr str on=b\n\ny < pci on=a\n\nz < pci on=b\n\tp bool\n"},
		{"a property of the only type of one target does not move to the parent", []*List{
			flat(t, "a", pci+"x < pci\n\tp str\ny < pci\n\tp str\n"),
			flat(t, "b", pci+"x < pci\n\tp str\n\tq str\n"),
		}, "device abstract\n\npci < device abstract\n\tp str\n\nx < pci\n\tq str on=b\n\ny < pci on=a\n"},
		{"a type whose properties are not known does not count", []*List{
			flat(t, "a", pci+"x < pci\n\tp str\n\tq str\ny < pci unasked=a\nz < pci\n\tp str\n"),
			flat(t, "b", pci+"x < pci unasked=b\nz < pci\n\tp str\n"),
		}, "device abstract\n\npci < device abstract\n\tp str\n\nx < pci unasked=b\n\tq str\n\ny < pci on=a unasked=a\nz < pci\n"},
		{"a type that users cannot create does not count", []*List{
			flat(t, "a", pci+"x < pci\n\tp str\ny < pci no-user\nz < pci\n\tp str\n"),
		}, "device abstract\n\npci < device abstract\n\tp str\n\nx < pci\ny < pci no-user\nz < pci\n"},
		{"bus and category of a parent are those of most children", []*List{
			flat(t, "a", pci+"x < pci bus=PCI category=A\ny < pci bus=PCI category=B\nz < pci\n"),
		}, "device abstract bus=PCI\npci < device abstract\nx < pci category=A\ny < pci category=B\nz < pci bus=\n"},
		{"a later list replaces an earlier one of its target", []*List{
			flat(t, "a", "x < device\n\tp str\nold < device\n"), flat(t, "b", "x < device\n\tp str\n"), flat(t, "a", "x < device\n\tp bool\n"),
		}, "device abstract\n\nx < device\n\tp bool on=a\n\tp str on=b\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := Join(c.said...)
			require.NoError(t, err)
			require.Equal(t, c.want, body(l))
			parsed, err := Parse("x", l.Format())
			require.NoError(t, err)
			require.Empty(t, diff(l, parsed))
			again, err := Join(parsed)
			require.NoError(t, err)
			require.Empty(t, diff(l, again))
		})
	}
}

func TestJoinErrors(t *testing.T) {
	other := flat(t, "b", "")
	other.Release = "1.1"
	_, err := Join(flat(t, "a", ""), other)
	require.EqualError(t, err, "one list is of QEMU 1.0, another one of QEMU 1.1")
	_, err = Join(flat(t, "a", "x < device bus=PCI"), flat(t, "b", "x < device bus=ISA"))
	require.EqualError(t, err, "type x: target b describes it differently than target a")
	_, err = Join(flat(t, "a", "x < device alias=y"), flat(t, "b", "x < device alias=z"))
	require.EqualError(t, err, "type x: its alias on target b is z, on a it is y")
	l, err := Join()
	require.NoError(t, err)
	require.Empty(t, diff(&List{}, l))
}

func TestTargetsOrder(t *testing.T) {
	l, err := Join(flat(t, "riscv64", ""), flat(t, "s390x", ""), flat(t, "alpha", ""), flat(t, "x86_64", ""), flat(t, "aarch64", ""))
	require.NoError(t, err)
	require.Equal(t, []string{"x86_64", "aarch64", "s390x", "alpha", "riscv64"}, l.Targets())
}

func TestProps(t *testing.T) {
	l := exampleList()
	e1000 := l.Type("e1000")
	names := func(props []Prop) (list []string) {
		for _, p := range props {
			list = append(list, p.Name+" "+p.Type+" "+strings.Join(p.Targets, ","))
		}
		return list
	}
	require.Equal(t, []string{"acpi-index uint32 ", "addr str x86_64", "mac str ", "queues uint32 aarch64", "queues uint16 x86_64"}, names(l.Props(e1000)))
	require.Equal(t, []string{"acpi-index uint32 ", "addr str ", "mac str ", "queues uint16 "}, names(l.PropsOn(e1000, "x86_64")))
	require.Equal(t, []string{"acpi-index uint32 ", "mac str ", "queues uint32 "}, names(l.PropsOn(e1000, "aarch64")))
	require.True(t, e1000.User())
	require.False(t, l.Type("mch").User())
	require.Nil(t, l.Type("e"))
	require.Same(t, e1000, l.Find("e1000", "x86_64"))
	require.Nil(t, l.Find("e1000", "s390x"))
	require.Same(t, e1000, l.Find("e", "aarch64"))
	require.Nil(t, l.Find("e", "x86_64"))
	require.Nil(t, l.Find("", "x86_64"))

	// A list that was not made by Parse has not been checked.
	cycle := &List{Types: []*Type{{Name: "a", Parent: "b"}, {Name: "b", Parent: "a"}}}
	require.Empty(t, cycle.Props(cycle.Types[0]))
}

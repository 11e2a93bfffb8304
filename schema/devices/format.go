package devices

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// header is the first line of the text form.
const header = "# What QEMU says of its devices, facts only, written by goqapi. Do not edit."

// Format writes the list as text, which Parse reads:
//
//	release 11.1
//	binary x86_64 11.1.3
//	binary s390x 11.1.3
//
//	device abstract
//
//	pci-device < device abstract bus=PCI
//		acpi-index uint32 =0
//		addr str/pci-address =-1
//
//	e1000 < pci-device category=Network on=x86_64
//		mac str/mac
//
// A type has the bus, category and targets of its parent, unless its line says otherwise.
// Words are quoted as in Go if necessary.
func (l *List) Format() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nrelease %s\n", header, quote(l.Release))
	for _, bin := range l.Binaries {
		fmt.Fprintf(&b, "binary %s %s\n", quote(bin.Target), quote(bin.Version))
	}
	plain := false // the type before has no properties
	for i, t := range l.Types {
		if i == 0 || !plain || len(t.Props) > 0 {
			b.WriteByte('\n')
		}
		plain = len(t.Props) == 0
		writeLine(&b, "", l.typeWords(t))
		for _, p := range t.Props {
			writeLine(&b, "\t", propWords(p))
		}
	}
	return b.Bytes()
}

func writeLine(b *bytes.Buffer, indent string, words []string) {
	b.WriteString(indent)
	for i, word := range words {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(quote(word))
	}
	b.WriteByte('\n')
}

// typeWords returns the words of a type's line.
func (l *List) typeWords(t *Type) []string {
	words := []string{t.Name}
	attr := func(name, value string) { words = append(words, name+"="+value) }
	parent := l.Type(t.Parent)
	if parent == nil {
		parent = &Type{}
	}
	if t.Parent != "" {
		words = append(words, below, t.Parent)
	}
	if t.Abstract {
		words = append(words, "abstract")
	}
	if t.NoUser {
		words = append(words, "no-user")
	}
	if t.Bus != parent.Bus {
		attr("bus", t.Bus)
	}
	if t.Category != parent.Category {
		attr("category", t.Category)
	}
	if targets := l.TargetsOf(t); !slices.Equal(targets, l.TargetsOf(parent)) {
		attr("on", strings.Join(targets, ","))
	}
	if t.Alias != "" {
		attr("alias", t.Alias)
	}
	if t.AliasTargets != nil {
		attr("alias-on", strings.Join(t.AliasTargets, ","))
	}
	if t.Unasked != nil {
		attr("unasked", strings.Join(t.Unasked, ","))
	}
	return words
}

// propWords returns the words of a property's line.
func propWords(p Prop) []string {
	words := []string{p.Name}
	switch {
	case p.Absent:
		words = append(words, absent)
	case p.Kind != KindNone || strings.Contains(p.Type, "/"):
		words = append(words, p.Type+"/"+string(p.Kind))
	default:
		words = append(words, p.Type)
	}
	if p.Default != "" {
		words = append(words, "="+p.Default)
	}
	if p.ReadOnly {
		words = append(words, "read-only")
	}
	if p.Targets != nil {
		words = append(words, "on="+strings.Join(p.Targets, ","))
	}
	return words
}

const (
	below  = "<"      // written between a type and its parent
	absent = "absent" // written instead of a property's type
)

// quote quotes a word if it could not be read otherwise.
func quote(word string) string {
	strange := func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) || r == unicode.ReplacementChar }
	if word == "" || word[0] == '"' || word[0] == '#' || strings.ContainsFunc(word, strange) {
		return strconv.Quote(word)
	}
	return word
}

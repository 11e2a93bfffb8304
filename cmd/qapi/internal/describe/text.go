package describe

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
)

// widest is the largest width of lines: longer ones are hard to read.
const widest = 100

// A page is the text of an entry while it is written.
type page struct {
	out   *term.Output
	width int
	text  strings.Builder
}

// Print writes an entry for people.
func (e *Entry) Print(out *term.Output) error {
	width, _ := out.Size()
	p := &page{out: out, width: min(width, widest)}
	p.head(e)
	p.members(e)
	p.branches(e)
	p.values("Values", e.Values)
	p.values("One of", e.Forms)
	p.tail(e)
	_, err := out.Write([]byte(p.text.String()))
	return err
}

// head writes the name, the kind and the description.
func (p *page) head(e *Entry) {
	kind := e.Kind
	if e.Type != "" {
		kind += " of type " + e.Type
	}
	p.line(p.out.In(term.Bold, e.Name) + "  " + p.out.In(term.Dim, kind+", QEMU "+e.Release))
	subject := e.Name
	if strings.ContainsAny(e.Name, "/>") {
		subject = ""
	}
	for i, paragraph := range strings.Split(e.Text, "\n\n") {
		if paragraph == "" {
			break
		}
		if i == 0 && subject != "" {
			paragraph = subject + " " + paragraph
		}
		p.line("")
		p.wrap(paragraph, "")
	}
	if notes := e.notes(subject != ""); len(notes) > 0 {
		p.line("")
		for _, note := range notes {
			p.note(note, "")
		}
	}
	p.device(e.Device)
}

// A note is something to know about releases and builds.
type note struct {
	text    string
	warning bool
}

// notes returns the notes about something. If whole is false, it is a part, which needs no note if all
// releases have it.
func (f *Facts) notes(whole bool) []note {
	var notes []note
	switch {
	case f.Releases != "":
		notes = append(notes, note{text: "In " + f.Releases + "."})
	case whole:
		notes = append(notes, note{text: "In all releases from QEMU 5.2 on."})
	}
	if f.If != "" {
		notes = append(notes, note{text: "Only in builds with " + f.If + "."})
	}
	if len(f.Features) > 0 && whole {
		notes = append(notes, note{text: "Features: " + strings.Join(f.Features, ", ") + "."})
	}
	if f.Unstable {
		notes = append(notes, note{"Unstable: QEMU may change or remove it in any release.", true})
	}
	instead := ""
	if text, none := strings.CutPrefix(f.Instead, "; "); none {
		instead = "; " + text
	} else if f.Instead != "" {
		instead = "; use " + f.Instead
	}
	switch {
	case f.Gone != "":
		notes = append(notes, note{"Deprecated: QEMU removed it " + f.Gone + instead + ".", true})
	case f.Deprecated:
		notes = append(notes, note{"Deprecated: QEMU plans to remove it" + instead + ".", true})
	}
	return notes
}

func (p *page) note(n note, indent string) {
	for _, line := range term.Wrap(n.text, p.width-len(indent)) {
		if n.warning {
			line = p.out.In(term.Yellow, line)
		}
		p.line(indent + line)
	}
}

func (p *page) device(d *Device) {
	if d == nil {
		return
	}
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+" "+value)
		}
	}
	add("Bus", d.Bus)
	add("Category", d.Category)
	add("Alias", d.Alias)
	add("Parent", d.Parent)
	p.line("")
	p.wrap(strings.Join(words, ". ")+".", "")
	p.wrap("Targets: "+strings.Join(d.Targets, ", ")+".", "")
	switch {
	case !d.Creates:
		p.wrap("It is a part of machines: users cannot create it.", "")
	case d.Plugs:
		p.wrap("It can be plugged in while the machine runs.", "")
	default:
		p.wrap("It has to be there when the machine starts.", "")
	}
}

// members writes the members of an object, the required ones first.
func (p *page) members(e *Entry) {
	if len(e.Members) == 0 {
		return
	}
	title := map[string]string{"command": "Arguments", "device": "Properties"}[e.Kind]
	p.title(cmp.Or(title, "Members"))
	list := slices.Clone(e.Members)
	slices.SortStableFunc(list, func(a, b Member) int { return btoi(a.Optional) - btoi(b.Optional) })
	for _, m := range list {
		about := m.Type
		if len(m.Values) > 0 {
			about = arguments.OrList(m.Values)
		}
		if m.Optional && e.Kind != "device" {
			about += ", optional"
		}
		if m.Default != "" {
			about += ", default " + m.Default
		}
		p.item(m.Name, about, m.Facts)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// item writes a name, what it is in a few words, and below that what is known about it.
func (p *page) item(name, about string, f Facts) {
	name = term.Escape(name)
	before := "  " + p.out.In(term.Bold, name)
	indent := term.Width(name) + 4
	if p.width-indent < max(20, longest(about)) {
		p.line(before)
		before, indent = "", 6
	}
	for i, line := range term.Wrap(about, p.width-indent) {
		if line = p.out.In(term.Cyan, line); i == 0 && before != "" {
			before += "  " + line
			p.line(before)
			continue
		}
		p.line(strings.Repeat(" ", indent) + line)
	}
	if about == "" && indent != 6 {
		p.line(before)
	}
	for paragraph := range strings.SplitSeq(f.Text, "\n\n") {
		p.wrap(paragraph, "      ")
	}
	for _, n := range f.notes(false) {
		p.note(n, "      ")
	}
}

// longest returns the width of the longest word.
func longest(text string) int {
	width := 0
	for word := range strings.FieldsSeq(text) {
		width = max(width, term.Width(word))
	}
	return width
}

// branches writes a line for each value of a tag, with the members that it adds.
func (p *page) branches(e *Entry) {
	if len(e.Branches) == 0 {
		return
	}
	p.title("With")
	widest := 0
	for _, b := range e.Branches {
		widest = max(widest, term.Width(b.Tag+"="+b.Value))
	}
	for _, b := range e.Branches {
		name := b.Tag + "=" + b.Value
		members := strings.Join(b.Members, ", ")
		for i, n := range b.notes(false) {
			switch {
			case members == "":
			case i == 0:
				members += ". "
			default:
				members += " "
			}
			members += n.text
		}
		left := min(widest, p.width/2)
		text := term.Cut(members, max(p.width-left-4, 8))
		p.line(strings.TrimRight("  "+p.out.In(term.Bold, name)+strings.Repeat(" ", max(0, left-term.Width(name)))+"  "+text, " "))
	}
	p.line("")
	p.wrap("More: qapi describe "+strings.TrimSuffix(e.Name, "->")+arrow(e.Name)+e.Branches[0].Tag+"="+e.Branches[0].Value, "")
}

// arrow returns the separator between a name and a part of it.
func arrow(name string) string {
	if strings.HasSuffix(name, "->") {
		return "->"
	}
	return "/"
}

// values writes values with notes in lines of their own, and the others together.
func (p *page) values(title string, values []Value) {
	if len(values) == 0 {
		return
	}
	p.title(title)
	var plain []string
	for _, v := range values {
		if v.Text == "" && len(v.notes(false)) == 0 {
			plain = append(plain, v.Name)
		}
	}
	p.wrap(strings.Join(plain, ", "), "  ")
	for _, v := range values {
		if !slices.Contains(plain, v.Name) {
			p.item(v.Name, "", v.Facts)
		}
	}
}

// tail writes the names that the entry refers to, and the example.
func (p *page) tail(e *Entry) {
	if e.Kind == "command" {
		p.title("Returns")
		p.wrap(cmp.Or(e.Returns, "nothing"), "  ")
	}
	for _, list := range []struct {
		title string
		names []string
	}{{"Events", e.Events}, {"See also", e.Related}, {"Used by", e.UsedBy}} {
		if len(list.names) > 0 {
			p.title(list.title)
			p.wrap(strings.Join(list.names, ", "), "  ")
		}
	}
	if len(e.Example) > 0 {
		p.title("Example")
		for _, line := range e.Example {
			p.line("  " + line) // not wrapped, since people copy it
		}
	}
}

func (p *page) title(text string) {
	p.line("")
	p.line(p.out.In(term.Bold, text))
}

func (p *page) line(text string) { fmt.Fprintln(&p.text, text) }

func (p *page) wrap(text, indent string) {
	for _, line := range term.Wrap(text, max(p.width-len(indent), 20)) {
		p.line(indent + line)
	}
}

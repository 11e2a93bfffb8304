package plan

import (
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// docText returns the documentation of a definition as one text: what describes
// the whole definition, and the sections that are not facts.
func docText(doc *schema.Doc) string {
	parts := []string{doc.Body}
	for _, s := range doc.Sections {
		switch s.Tag {
		case "Since", "TODO":
		case "":
			parts = append(parts, s.Text)
		default:
			parts = append(parts, s.Tag+":\n"+s.Text)
		}
	}
	return strings.TrimSpace(strings.Join(parts, "\n\n"))
}

// memberDoc returns the documentation of a member, value or argument. The documentation of
// an inherited member is with the struct that declares it.
func memberDoc(owner schema.Definition, name string) string {
	if doc := owner.Def().Doc; doc != nil && doc.Members[name] != "" {
		return strings.TrimSpace(doc.Members[name])
	}
	if from := schema.Inherited(owner); from != nil {
		return memberDoc(from, name)
	}
	return ""
}

// Package graph draws the block graph of a machine: as a tree for a terminal, as DOT, Mermaid
// and JSON for other programs.
package graph

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"

	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/qapi/disk"
)

// Tree writes a tree for each device, export, job and node that nothing uses. A node that
// several use is shown completely where it comes first.
func Tree(out *term.Output, g *disk.Graph) error {
	t := tree{out: out, shown: map[*disk.Vertex]bool{}}
	t.width, _ = out.Size()
	for _, root := range g.Roots {
		t.show(root, "", "", "")
	}
	_, err := out.Write([]byte(t.text.String()))
	return err
}

type tree struct {
	out   *term.Output
	width int
	text  strings.Builder
	shown map[*disk.Vertex]bool
}

// show writes a vertex and what it uses. branch is the text before its own line, and below
// the text before the lines below it.
func (t *tree) show(v *disk.Vertex, branch, below, role string) {
	again := t.shown[v] && len(v.Uses) > 0
	t.shown[v] = true
	name, details := title(v)
	if again {
		details = "see above"
	}
	room := t.width - term.Width(branch+role+name) - 2
	if !t.out.IsTerminal() {
		room = term.Width(details) // other programs read it
	}
	t.text.WriteString(t.out.In(term.Dim, branch) + role + t.out.In(style(v), name))
	if details = term.Cut(details, room); details != "" && room > 0 {
		t.text.WriteString("  " + details)
	}
	t.text.WriteByte('\n')
	if again {
		return
	}
	for i, e := range v.Uses {
		role := term.Escape(e.Role) + ": "
		if i == len(v.Uses)-1 {
			t.show(e.To, below+"└─ ", below+"   ", role)
		} else {
			t.show(e.To, below+"├─ ", below+"│  ", role)
		}
	}
}

// style returns the style of a name: the names of users of nodes are emphasised.
func style(v *disk.Vertex) term.Style {
	if v.Kind == disk.Node {
		return term.Cyan
	}
	return term.Bold
}

// title returns the name of a vertex, and for a node its driver, whether it is read-only, and its file.
func title(v *disk.Vertex) (name, details string) {
	name = term.Escape(v.Name)
	if v.Kind != disk.Node {
		return strings.TrimSpace(string(v.Kind) + " " + name), ""
	}
	n := v.Node
	if n == nil {
		return name, ""
	}
	words := []string{term.Escape(n.Drv)}
	if n.Ro {
		words = append(words, "ro")
	}
	if file := fileOf(v); file != "" {
		words = append(words, path.Base(file))
	}
	return name, strings.Join(words, " ")
}

// fileOf returns the file name of a node, without secrets and safe to print; "" if it has none for people.
func fileOf(v *disk.Vertex) string {
	if v.Node == nil || strings.HasPrefix(v.Node.File, "json:") || strings.HasSuffix(v.Node.File, "://") { // it has no file
		return ""
	}
	return term.Escape(redact.Text(v.Node.File))
}

// A vertex is a vertex as JSON. The ids are valid only in this graph.
type vertex struct {
	ID       int       `json:"id"`
	Kind     disk.Kind `json:"kind"`
	Name     string    `json:"name"`
	Driver   string    `json:"driver,omitempty"`
	File     string    `json:"file,omitempty"`
	ReadOnly bool      `json:"read-only,omitempty"`
	Uses     []edge    `json:"uses,omitempty"`
}

type edge struct {
	Role string `json:"role"`
	ID   int    `json:"id"`
}

// JSON returns the vertices, each with what it uses, and the ids of those that nothing uses.
func JSON(g *disk.Graph) ([]byte, error) {
	ids := number(g)
	out := struct {
		Roots    []int    `json:"roots"`
		Vertices []vertex `json:"vertices"`
	}{Roots: []int{}, Vertices: []vertex{}}
	for _, v := range g.Roots {
		out.Roots = append(out.Roots, ids[v])
	}
	for _, v := range g.Vertices {
		w := vertex{ID: ids[v], Kind: v.Kind, Name: v.Name}
		if v.Node != nil {
			w.Driver, w.File, w.ReadOnly = v.Node.Drv, redact.Text(v.Node.File), v.Node.Ro
		}
		for _, e := range v.Uses {
			w.Uses = append(w.Uses, edge{e.Role, ids[e.To]})
		}
		out.Vertices = append(out.Vertices, w)
	}
	return json.Marshal(out)
}

func number(g *disk.Graph) map[*disk.Vertex]int {
	ids := map[*disk.Vertex]int{}
	for i, v := range g.Vertices {
		ids[v] = i
	}
	return ids
}

// DOT returns the graph in the language of Graphviz.
func DOT(g *disk.Graph) []byte {
	var b strings.Builder
	b.WriteString("digraph blocks {\n\tnode [fontname=\"sans-serif\", shape=box]\n\tedge [fontname=\"sans-serif\", fontsize=10]\n")
	ids := number(g)
	for _, v := range g.Vertices {
		more := ""
		if v.Kind != disk.Node {
			more = ", shape=oval, style=filled"
		}
		name, details := title(v)
		fmt.Fprintf(&b, "\tv%d [label=%s%s]\n", ids[v], dotText(strings.TrimSpace(name+"\n"+details)), more)
	}
	for _, v := range g.Vertices {
		for _, e := range v.Uses {
			fmt.Fprintf(&b, "\tv%d -> v%d [label=%s]\n", ids[v], ids[e.To], dotText(term.Escape(e.Role)))
		}
	}
	b.WriteString("}\n")
	return []byte(b.String())
}

func dotText(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}

// Mermaid returns the graph in the language of Mermaid, for Markdown.
func Mermaid(g *disk.Graph) []byte {
	var b strings.Builder
	b.WriteString("flowchart TD\n")
	ids := number(g)
	for _, v := range g.Vertices {
		name, details := title(v)
		text := mermaidText(name)
		if details != "" {
			text += "<br>" + mermaidText(details)
		}
		if v.Kind == disk.Node {
			fmt.Fprintf(&b, "    v%d[\"%s\"]\n", ids[v], text)
		} else {
			fmt.Fprintf(&b, "    v%d([\"%s\"])\n", ids[v], text)
		}
	}
	for _, v := range g.Vertices {
		for _, e := range v.Uses {
			fmt.Fprintf(&b, "    v%d -->|\"%s\"| v%d\n", ids[v], mermaidText(term.Escape(e.Role)), ids[e.To])
		}
	}
	return []byte(b.String())
}

// mermaidText escapes characters with a meaning in Mermaid or HTML.
func mermaidText(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune("\"#&<>`\\;|", r) {
			fmt.Fprintf(&b, "#%d;", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

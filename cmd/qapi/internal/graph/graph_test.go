package graph

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
)

func node(name, driver, file string, ro bool, uses ...disk.Edge) *disk.Vertex {
	return &disk.Vertex{Kind: disk.Node, Name: name, Node: &qapi.BlockDeviceInfo{NodeName: name, Drv: driver, File: file, Ro: ro}, Uses: uses}
}

// example is a disk with a backing file, which a job copies; the name of an image contains
// control sequences for a terminal.
func example() *disk.Graph {
	baseFile := node("#block068", "file", "/vm/base.qcow2", true)
	base := node("#block178", "qcow2", "/vm/base.qcow2", true, disk.Edge{Role: "file", To: baseFile})
	file := node("file0", "file", "/vm/web\x1b[31m\"]01.qcow2", false)
	top := node("disk0", "qcow2", `json:{"driver": "qcow2"}`, false, disk.Edge{Role: "file", To: file}, disk.Edge{Role: "backing", To: base})
	target := node("copy", "curl", "https://me:secret@host/copy", false)
	vd := &disk.Vertex{Kind: disk.Device, Name: "vd0", Uses: []disk.Edge{{Role: "root", To: top}}}
	job := &disk.Vertex{Kind: disk.Job, Name: "m0", Uses: []disk.Edge{{Role: "main node", To: top}, {Role: "target", To: target}}}
	return &disk.Graph{Roots: []*disk.Vertex{vd, job}, Vertices: []*disk.Vertex{vd, job, base, baseFile, target, top, file}}
}

func TestTree(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, Tree(term.New(&b, func(string) string { return "" }), example()))
	assert.Equal(t, `device vd0
└─ root: disk0  qcow2
   ├─ file: file0  file web\x1b[31m"]01.qcow2
   └─ backing: #block178  qcow2 ro base.qcow2
      └─ file: #block068  file ro base.qcow2
job m0
├─ main node: disk0  see above
└─ target: copy  curl copy
`, b.String())

	b.Reset()
	require.NoError(t, Tree(term.Terminal(&b, 32, 24), example()))
	lines := strings.Split(b.String(), "\n")
	assert.Contains(t, lines[2], "file web\\x1b…")
	for _, line := range lines {
		text := strings.NewReplacer("\x1b[1m", "", "\x1b[2m", "", "\x1b[36m", "", "\x1b[m", "").Replace(line)
		assert.LessOrEqual(t, term.Width(text), 32)
		assert.NotContains(t, text, "\x1b")
	}
}

func TestLanguages(t *testing.T) {
	dot := string(DOT(example()))
	assert.Contains(t, dot, `v0 [label="device vd0", shape=oval, style=filled]`)
	assert.Contains(t, dot, `v6 [label="file0\nfile web\\x1b[31m\"]01.qcow2"]`)
	assert.Contains(t, dot, `v1 -> v5 [label="main node"]`)

	mermaid := string(Mermaid(example()))
	assert.Contains(t, mermaid, `v0(["device vd0"])`)
	assert.Contains(t, mermaid, `v6["file0<br>file web#92;x1b[31m#34;]01.qcow2"]`)
	assert.Contains(t, mermaid, `v1 -->|"main node"| v5`)
	assert.NotContains(t, dot+mermaid, "secret")

	text, err := JSON(example())
	require.NoError(t, err)
	var got struct {
		Roots    []int
		Vertices []vertex
	}
	require.NoError(t, json.Unmarshal(text, &got))
	assert.Equal(t, []int{0, 1}, got.Roots)
	assert.Equal(t, vertex{ID: 2, Kind: disk.Node, Name: "#block178", Driver: "qcow2", File: "/vm/base.qcow2", ReadOnly: true, Uses: []edge{{"file", 3}}}, got.Vertices[2])
	assert.NotContains(t, string(text), "secret")
	text, err = JSON(&disk.Graph{})
	require.NoError(t, err)
	assert.JSONEq(t, `{"roots":[],"vertices":[]}`, string(text))
}

// Graphviz can read the graph.
func TestSVG(t *testing.T) {
	text, err := SVG(t.Context(), example())
	if _, missing := exec.LookPath("dot"); missing != nil {
		require.ErrorIs(t, err, ErrNoDot)
		t.Skip("Graphviz is not installed: there is no dot")
	}
	require.NoError(t, err)
	assert.Contains(t, string(text), "<svg")
	assert.Contains(t, string(text), "main node")
}

package graph

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qapi/disk"
)

// ErrNoDot is the error of SVG if Graphviz is not installed.
var ErrNoDot = errors.New("SVG needs the program dot, of Graphviz, which is not installed; --dot writes what it reads")

// SVG returns a picture of the graph, which Graphviz draws.
func SVG(ctx context.Context, g *disk.Graph) ([]byte, error) {
	dot, err := exec.LookPath("dot")
	if err != nil {
		return nil, ErrNoDot
	}
	var out, messages bytes.Buffer
	cmd := exec.CommandContext(ctx, dot, "-Tsvg")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(DOT(g)), &out, &messages
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("dot: %w: %s", err, printable.Start(messages.Bytes(), 500))
	}
	return out.Bytes(), nil
}

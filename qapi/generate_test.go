package qapi_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGenerated runs the command of gen.go and compares what it would write
// with what is checked in.
func TestGenerated(t *testing.T) {
	text, err := os.ReadFile("../gen.go")
	require.NoError(t, err)
	_, line, found := strings.Cut(string(text), "//go:generate ")
	require.True(t, found)
	line, _, _ = strings.Cut(line, "\n")
	args := append(strings.Fields(line), "-check")
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ".."
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

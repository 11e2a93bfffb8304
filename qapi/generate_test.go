package qapi_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGenerated runs the commands of gen.go and compares what they would write
// with what is checked in.
func TestGenerated(t *testing.T) {
	text, err := os.ReadFile("../gen.go")
	require.NoError(t, err)
	commands := 0
	for line := range strings.Lines(string(text)) {
		line, found := strings.CutPrefix(line, "//go:generate ")
		if !found {
			continue
		}
		commands++
		args := append(strings.Fields(line), "-check")
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = ".."
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	require.Equal(t, 3, commands)
}

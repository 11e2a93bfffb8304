package generate

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPipes checks that the generator does not wait for a writer to a named pipe.
func TestPipes(t *testing.T) {
	for _, name := range []string{"out/a_gen.go", "out/other_gen.go", "texts/a.md", "VERSION"} {
		dir, args := oneCommand(t, "a.json")
		for _, folder := range []string{"out", "texts"} {
			require.NoError(t, os.Mkdir(filepath.Join(dir, folder), 0o700))
		}
		require.NoError(t, syscall.Mkfifo(filepath.Join(dir, name), 0o600))
		if name == "texts/a.md" {
			args = append(args, "-descriptions", filepath.Join(dir, "texts"))
		}
		require.ErrorContains(t, Run("generator", args, new(bytes.Buffer), new(bytes.Buffer)), "not a regular file", name)
		if filepath.Dir(name) == "out" {
			require.ErrorContains(t, Run("generator", append(args, "-check"), new(bytes.Buffer), new(bytes.Buffer)), "not a regular file", name)
		}
	}
}

package generate

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBindings runs the commands of gen.go with -check: the files in the repository are
// the ones that they would write. They run in the process of the test, so that Go runs
// the test again when the generator, a description or a file of the bindings has changed.
func TestBindings(t *testing.T) {
	t.Chdir("../..")
	text, err := os.ReadFile("gen.go")
	require.NoError(t, err)
	commands := 0
	for line := range strings.Lines(string(text)) {
		args, found := strings.CutPrefix(line, "//go:generate go run ./generator ")
		require.Equal(t, strings.HasPrefix(line, "//go:generate"), found, "%s: a command that is not run here", line)
		if !found {
			continue
		}
		commands++
		err := Run("generator", append(strings.Fields(args), "-check"), new(bytes.Buffer), new(bytes.Buffer))
		require.NoError(t, err, "%s", line)
	}
	require.GreaterOrEqual(t, commands, 2)
}

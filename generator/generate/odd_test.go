package generate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestOddSchemas generates bindings for schemas with constructs that QEMU's schemas do
// not have, compiles them, and runs the tests that belong to some.
func TestOddSchemas(t *testing.T) {
	schemas, err := filepath.Glob("testdata/odd/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, schemas)
	dir := userModule(t)
	for _, schema := range schemas {
		files, err := generate(config{schemas: list{schema}, root: "testdata/odd", target: "qmp", pkg: "odd"})
		if !assert.NoError(t, err) {
			continue
		}
		stem := strings.TrimSuffix(schema, ".json")
		out := filepath.Join(dir, filepath.Base(stem))
		_, err = write(out, files)
		require.NoError(t, err)
		for _, test := range []string{"testdata/odd/odd", stem} {
			text, err := os.ReadFile(test + "_test.go.txt")
			if os.IsNotExist(err) {
				continue
			}
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(out, filepath.Base(test)+"_test.go"), text, 0o666))
		}
	}
	if testing.Short() {
		return // without -short, their tests are run
	}
	cmd := exec.Command("go", "test", "-trimpath", "./...")
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
}

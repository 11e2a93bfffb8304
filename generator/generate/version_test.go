package generate

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/generator/internal/emit"
	"github.com/goqapi/goqapi/qmp/codec"
)

// TestCodecVersion compiles bindings with other versions of package codec than the one
// that they are made for.
func TestCodecVersion(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it compiles the same package four times")
	}
	require.Equal(t, codec.Version, emit.CodecVersion, "the generator and qmp/codec go together")
	dir := userModule(t)
	files, err := generate(config{schemas: []string{example}, root: "testdata/example", target: "qmp", pkg: "example"})
	require.NoError(t, err)
	_, err = write(filepath.Join(dir, "example"), files)
	require.NoError(t, err)

	source, err := filepath.Abs("../../qmp/codec/version.go")
	require.NoError(t, err)
	for _, c := range []struct {
		oldest, version int
		want            string
	}{
		{codec.Version, codec.Version, ""},
		{codec.Version - 1, codec.Version + 1, ""},
		{codec.Version + 1, codec.Version + 1, "as codec.GenerateAgain value"},
		{codec.Version - 1, codec.Version - 1, "as codec.UpdateGoqapi value"},
	} {
		text := fmt.Sprintf("package codec\n\nconst (\n\tVersion = %d\n\tOldestVersion = %d\n)\n\ntype GenerateAgain uint\n\ntype UpdateGoqapi uint\n", c.version, c.oldest)
		other := filepath.Join(dir, "version.txt")
		require.NoError(t, os.WriteFile(other, []byte(text), 0o666))
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{source: other}})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o666))
		cmd := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "./example")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if c.want == "" {
			require.NoError(t, err, "%s", out)
			continue
		}
		require.Error(t, err)
		require.Contains(t, string(out), c.want)
		require.Contains(t, string(out), "overflows")
	}
}

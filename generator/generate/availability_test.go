package generate

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/generator/internal/plan"
	"github.com/goqapi/goqapi/schema/qemu"
)

// TestAvailability compares the file that the tool reads about releases with the comments
// of the bindings. UPDATE=1 writes the file.
func TestAvailability(t *testing.T) {
	for target, root := range map[string]string{"qmp": qemu.QMP, "qga": qemu.QGA} {
		m, err := qemu.Merge(root)
		require.NoError(t, err)
		want := plan.Availability(m)
		path := filepath.Join("..", "descriptions", target, descriptions.ReleasesFile)
		if os.Getenv("UPDATE") != "" {
			var text strings.Builder
			for _, name := range slices.Sorted(maps.Keys(want)) {
				text.WriteString(want[name].Format(name))
			}
			require.NoError(t, os.WriteFile(path, []byte(text.String()), 0o666))
		}
		got, err := descriptions.LoadReleases(os.DirFS(filepath.Dir(path)))
		require.NoError(t, err)
		assert.Empty(t, cmp.Diff(want, got), "%s: UPDATE=1 writes it", path)
	}
}

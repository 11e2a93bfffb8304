package generate

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/gotool"
	"github.com/goqapi/goqapi/schema/qemu"
)

// TestReleasesCompile generates bindings for some single releases, of QMP and of the
// guest agent, in another module, and compiles them.
func TestReleasesCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it compiles eight packages")
	}
	dir := userModule(t)
	for _, release := range []string{"5.2", "7.2", "10.0", "11.1"} {
		for _, target := range []string{"qmp", "qga"} {
			root := map[string]string{"qmp": qemu.QMP, "qga": qemu.QGA}[target]
			pkg := target + strings.ReplaceAll(release, ".", "_")
			files, err := generate(config{
				schemas: list{filepath.Join("..", "..", "schema", "qemu", release, root)}, root: filepath.Join("..", "..", "schema", "qemu", release),
				target: target, pkg: pkg,
			})
			require.NoError(t, err)
			_, err = write(filepath.Join(dir, pkg), files)
			require.NoError(t, err)
		}
	}
	compile(t, dir)
}

// TestDocs generates bindings with QEMU's own documentation.
func TestDocs(t *testing.T) {
	dir := userModule(t)
	releases := []string{"5.2", "7.2", "10.0", "10.2"}
	if testing.Short() {
		releases = releases[3:]
	}
	for _, release := range releases {
		root := corpus.Path(t, "schema", release)
		pkg := "docs" + strings.ReplaceAll(release, ".", "_")
		files, err := generate(config{schemas: list{filepath.Join(root, qemu.QMP)}, root: root, target: "qmp", pkg: pkg, docs: true})
		require.NoError(t, err)
		_, err = write(filepath.Join(dir, pkg), files)
		require.NoError(t, err)
		for _, f := range files {
			text := string(f.Text)
			assert.Contains(t, text, "\n// SPDX-License-Identifier: GPL-2.0-or-later\n", f.Name)
			assert.NotContains(t, text, "\n// # ", "%s: a line became a heading", f.Name)
			assert.NotRegexp(t, `\n// *\.\. [a-z]+::`, text, "%s: markup is left", f.Name)
		}
	}
	if !testing.Short() {
		compile(t, dir)
	}
}

// userModule is a folder with a module that requires this one. The result of the test
// depends on the packages that the module is likely to import.
func userModule(t *testing.T) string {
	t.Helper()
	gotool.Watch(t, "./qapi/...", "./qmp/...")
	dir := t.TempDir()
	root := gotool.Root(t)
	text, err := os.ReadFile("../../go.mod")
	require.NoError(t, err)
	mod := strings.Replace(string(text), "module github.com/goqapi/goqapi", "module example.org/user", 1) +
		"\nrequire github.com/goqapi/goqapi v0.0.0\n\nreplace github.com/goqapi/goqapi => " + root + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(mod), 0o666))
	sum, err := os.ReadFile("../../go.sum")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o666))
	return dir
}

func compile(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.Command("go", "build", "-trimpath", "./...") // the next run then finds it in the cache
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

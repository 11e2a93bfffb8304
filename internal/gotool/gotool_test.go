package gotool

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestWatch checks what Watch relies on: a test that has read a folder runs again when a
// file in the folder has changed.
func TestWatch(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it runs go test five times")
	}
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour) // Go does not keep results about files that have just changed
	files := map[string]string{
		"go.mod":            "module " + Module + "\n\ngo 1.26\n",
		"a/a.go":            "package a\n",
		"plain/x_test.go":   "package x\n\nimport \"testing\"\n\nfunc TestX(t *testing.T) {}\n",
		"watches/x_test.go": "package x\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestX(t *testing.T) { os.ReadDir(\"../a\") }\n",
	}
	write := func(name, text string, at time.Time) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		require.NoError(t, os.Chtimes(path, at, at))
		require.NoError(t, os.Chtimes(filepath.Dir(path), at, at))
	}
	for name, text := range files {
		write(name, text, old)
	}
	run := func(pkg string) string {
		cmd := exec.Command("go", "test", "-vet=off", pkg)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOEXPERIMENT=")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return string(out)
	}
	for _, pkg := range []string{"./plain", "./watches"} {
		run(pkg)
		require.Contains(t, run(pkg), "(cached)")
	}
	write("a/a.go", "package a // changed\n", old.Add(time.Minute))
	require.Contains(t, run("./plain"), "(cached)")
	require.NotContains(t, run("./watches"), "(cached)")
}

func TestRoot(t *testing.T) {
	require.FileExists(t, filepath.Join(Root(t), "qmp", "conn.go"))
	Watch(t, "./qmp", Module+"/raw")
}

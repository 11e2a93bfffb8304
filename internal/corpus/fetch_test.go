package corpus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sumOf is the checksum that fetch.sh makes of the schemas in a folder.
func sumOf(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	for _, pattern := range []string{"qapi/*", "qga/*", "storage-daemon/qapi/*", "VERSION"} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		require.NoError(t, err)
		for _, path := range paths {
			names = append(names, strings.TrimPrefix(path, dir+"/"))
		}
	}
	slices.Sort(names)
	var all strings.Builder
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		fmt.Fprintf(&all, "%x  %s\n", sha256.Sum256(text), name)
	}
	sum := sha256.Sum256([]byte(all.String()))
	return hex.EncodeToString(sum[:])
}

// TestSums compares the checksums with QEMU's files, if the authors have them or make testdata has
// fetched them.
func TestSums(t *testing.T) {
	list, err := os.ReadFile("schemas.sum")
	require.NoError(t, err)
	for line := range strings.Lines(string(list)) {
		fields := strings.Fields(line)
		require.Len(t, fields, 3, line)
		t.Run(fields[0], func(t *testing.T) {
			dir := Path(t, "schema", fields[0])
			assert.Equal(t, fields[1], strings.TrimSpace(Read(t, "schema", fields[0], "VERSION")))
			assert.Equal(t, fields[2], sumOf(t, dir))
		})
	}
}

// TestFetch runs fetch.sh with a server that has one small release.
func TestFetch(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "tar", "xz", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("fetch.sh needs %s: %v", tool, err)
		}
	}
	web, dir := t.TempDir(), t.TempDir()
	tree := filepath.Join(web, "qemu-9.9.0")
	for name, text := range map[string]string{
		"VERSION": "9.9.0\n", "README": "x", "qapi/qapi-schema.json": "{}", "qapi/a.json": "{}", "qga/qapi-schema.json": "{}",
		"qga/main.c": "x", "storage-daemon/qapi/qapi-schema.json": "{}", "tests/qapi/a.json": "{}",
	} {
		path := filepath.Join(tree, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	out, err := exec.CommandContext(t.Context(), "tar", "-C", web, "-cJf", tree+".tar.xz", "qemu-9.9.0").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NoError(t, os.Remove(filepath.Join(tree, "qga/main.c")))
	good := sumOf(t, tree)
	requests := 0
	files := http.FileServer(http.Dir(web))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		files.ServeHTTP(w, r)
	}))
	defer server.Close()

	script, err := os.ReadFile("fetch.sh")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "fetch.sh"), script, 0o600))
	fetch := func(sums string) (string, error) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "schemas.sum"), []byte(sums), 0o600))
		cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(dir, "fetch.sh"), filepath.Join(dir, "to"))
		cmd.Env = append(os.Environ(), "QEMU_DOWNLOADS="+server.URL)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	text, err := fetch("9.8 9.8.0 0\n")
	require.Error(t, err, "there is no such archive: %s", text)
	text, err = fetch("9.9 9.9.0 0\n")
	require.Error(t, err)
	assert.Contains(t, text, "its schemas have the checksum "+good+", not 0")
	left, err := os.ReadDir(filepath.Join(dir, "to", "schema"))
	require.NoError(t, err)
	assert.Empty(t, left, "schemas with a wrong checksum are not kept")

	requests = 0
	for range 2 { // the second time it is there
		text, err = fetch("9.9 9.9.0 " + good + "\n")
		require.NoError(t, err, "%s", text)
		assert.Equal(t, 1, requests)
	}
	assert.Equal(t, good, sumOf(t, filepath.Join(dir, "to", "schema", "9.9")))
	assert.NoDirExists(t, filepath.Join(dir, "to", "schema", "9.9", "tests"))
}

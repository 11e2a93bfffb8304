package generate

import (
	"bytes"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDevices compares the types of a few devices with files that people can read. UPDATE=1
// writes them again.
func TestDevices(t *testing.T) {
	files, err := generate(config{devices: true, all: true, schemas: list{"testdata/devices/old.txt", "testdata/devices/new.txt"}, pkg: "example", out: t.TempDir()})
	require.NoError(t, err)
	var names []string
	for _, f := range files {
		names = append(names, f.Name)
		path := filepath.Join("testdata/devices/golden", f.Name+".txt")
		if os.Getenv("UPDATE") == "1" {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
			require.NoError(t, os.WriteFile(path, f.Text, 0o666))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(f.Text), path)
		formatted, err := format.Source(f.Text)
		require.NoError(t, err)
		assert.Equal(t, string(formatted), string(f.Text), "%s is gofmt-clean", f.Name)
	}
	assert.Equal(t, []string{"storage_gen.go", "input_gen.go", "other_gen.go"}, names)
}

// TestAllDevices compiles, in a user's module, the types of all devices of all releases, and those
// of a single release.
func TestAllDevices(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it compiles three packages")
	}
	dir := userModule(t)
	for name, c := range map[string]config{
		"all": {known: true, all: true},
		"old": {schemas: list{"../../schema/qemu/7.2/devices.txt"}},
		"new": {schemas: list{"../../schema/qemu/10.0/devices.txt"}, known: true}, // with the releases before it
	} {
		c.devices, c.pkg, c.out = true, name, filepath.Join(dir, name)
		files, err := generate(c)
		require.NoError(t, err)
		_, err = write(c.out, files)
		require.NoError(t, err)
	}
	compile(t, dir)
}

func TestDevicesSameBytes(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it generates all devices twice; TestBindings compares with what an earlier run wrote")
	}
	c := config{devices: true, known: true, pkg: "device", out: "../../qapi/device", texts: "../descriptions/device"}
	first, err := generate(c)
	require.NoError(t, err)
	again, err := generate(c)
	require.NoError(t, err)
	require.Equal(t, first, again)
}

func TestDevicesUsage(t *testing.T) {
	for want, args := range map[string][]string{
		"-all-devices needs -devices":                                        {"-known", "-package", "x", "-out", "x", "-all-devices"},
		"-docs, -target, -root and -release cannot be used with -devices":    {"-devices", "-known", "-package", "x", "-out", "x", "-docs"},
		"-schema or -known is needed":                                        {"-devices", "-package", "x", "-out", "x"},
		"-docs, -target, -root and -release cannot be used with -devices; s": {"-devices", "-known", "-package", "x", "-out", "x", "-target", "qga"},
	} {
		var stdout, stderr bytes.Buffer
		require.Error(t, Run("generator", args, &stdout, &stderr))
		assert.Contains(t, stderr.String(), want)
	}
	for want, text := range map[string]string{
		"broken.txt:1: ": "nonsense\n",
		"edu: property odd has the type Odd, for which no Go type is known":      "release 1.0\nbinary x86_64 1.0\n\ndevice abstract\n\nedu < device bus=PCI\n\todd Odd\n",
		"property a_b becomes AB in Go, and so does property a-b":                "release 1.0\nbinary x86_64 1.0\n\ndevice abstract\n\nedu < device bus=PCI\n\ta-b bool\n\ta_b bool\n",
		"property props becomes Props in Go, and so does a part of every device": "release 1.0\nbinary x86_64 1.0\n\ndevice abstract\n\nedu < device\n\tprops bool\n",
		"pci_addr becomes PCIAddr in Go, and so does a part of the package":      "release 1.0\nbinary x86_64 1.0\n\ndevice abstract\n\npci_addr < device\n",
	} {
		path := filepath.Join(t.TempDir(), "broken.txt")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
		_, err := generate(config{devices: true, all: true, schemas: list{path}, pkg: "x", out: t.TempDir()})
		assert.ErrorContains(t, err, want)
	}
	_, err := generate(config{devices: true, schemas: list{"testdata/devices/none.txt"}, pkg: "x"})
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestImportPath(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("// x\nmodule \"example.org/a\" // y\n\ngo 1.26\n"), 0o666))
	assert.Equal(t, "example.org/a", importPath(dir))
	assert.Equal(t, "example.org/a/b/c", importPath(filepath.Join(dir, "b", "c")))
	assert.True(t, strings.HasSuffix(importPath("."), "goqapi/generator/generate"))
	assert.Empty(t, importPath(string(filepath.Separator)))
}

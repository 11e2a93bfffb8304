package arch

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A modfile is a go.mod or go.work as the go command describes it.
type modfile struct {
	Use     []struct{ DiskPath string }
	Require []struct {
		Path, Version string
		Indirect      bool
	}
	Replace []any
}

func readModfile(t *testing.T, what, path string) modfile {
	t.Helper()
	read(t, path) // so that the cached result of the test depends on it
	cmd := exec.Command("go", what, "edit", "-json", filepath.FromSlash(path))
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err, path)
	var m modfile
	require.NoError(t, json.Unmarshal(out, &m))
	return m
}

// TestWorkspace checks that go.work has each module with code: the go command refuses to work
// in the folder of a module that it does not have.
func TestWorkspace(t *testing.T) {
	used := map[string]bool{}
	for _, use := range readModfile(t, "work", "go.work").Use {
		used[filepath.ToSlash(filepath.Join(root, use.DiskPath, "go.mod"))] = true
	}
	walk(t, func(path string) {
		path = filepath.ToSlash(path)
		if filepath.Base(path) == "go.mod" && !strings.Contains(path, "/testdata/") && path != root+"/tools/go.mod" {
			assert.True(t, used[path], "go.work lacks the module of %s", path)
		}
	})
}

// The library's requirements are those that its users get, and those of the generator and
// of tests. Other requirements of the tool must not be among them.
func TestRequirements(t *testing.T) {
	var required []string
	for _, r := range readModfile(t, "mod", "go.mod").Require {
		required = append(required, r.Path)
	}
	assert.ElementsMatch(t, []string{
		"github.com/dave/jennifer", "github.com/go-json-experiment/json", "github.com/google/go-cmp",
		"github.com/stretchr/testify", "go.yaml.in/yaml/v3",
	}, required)
}

// "go install" refuses the tool if its go.mod replaces anything.
func TestToolCanBeInstalled(t *testing.T) {
	assert.Empty(t, readModfile(t, "mod", "cmd/qapi/go.mod").Replace)
}

// Package schema/qemu would make the tool larger by a third: cmd/qapi/internal/facts has the same,
// compressed.
func TestToolHasCompressedFacts(t *testing.T) {
	tool, ok := list(t)[module+"/cmd/qapi"]
	require.True(t, ok)
	assert.NotContains(t, tool.Deps, module+"/schema/qemu")
}

// With go.work the library is compiled with the newest requirements of all modules; without
// it, with its own. They must not differ, or tests would not test what users get.
func TestVersionsAgree(t *testing.T) {
	library := map[string]string{}
	for _, r := range readModfile(t, "mod", "go.mod").Require {
		library[r.Path] = r.Version
	}
	for _, use := range readModfile(t, "work", "go.work").Use {
		path := filepath.ToSlash(filepath.Join(use.DiskPath, "go.mod"))
		for _, r := range readModfile(t, "mod", path).Require {
			if want, shared := library[r.Path]; shared {
				assert.Equal(t, want, r.Version, "%s: %s", path, r.Path)
			}
		}
	}
}

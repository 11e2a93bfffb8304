package device

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/schema/qemu"
)

// own returns our descriptions.
func own(t *testing.T) (devices, properties descriptions.Descriptions) {
	t.Helper()
	devices, properties, err := descriptions.LoadDevices(os.DirFS("../../descriptions/device"))
	require.NoError(t, err)
	return devices, properties
}

// build plans the package as it is generated.
func build(t *testing.T) *Package {
	t.Helper()
	qmp, err := qemu.Merge(qemu.QMP)
	require.NoError(t, err)
	opts := Options{Package: "device"}
	opts.Devices, opts.Properties = own(t)
	p, err := Build(allLists(t), qmp.Schema, opts)
	require.NoError(t, err)
	return p
}

// unlinked matches a name in brackets that is not a link to a name in Go.
var unlinked = regexp.MustCompile(`\[[a-z][a-z0-9_-]*\]`)

// TestCoverage fails for a device or a property that is not described.
func TestCoverage(t *testing.T) {
	devices, fields := 0, 0
	for _, file := range build(t).Files {
		for _, d := range file.Devices {
			devices++
			assert.NotEmpty(t, d.Text, "%s: %s is not described", file.Name, d.QEMU)
			assert.NotRegexp(t, unlinked, d.Text, d.QEMU)
			for _, f := range d.Fields {
				fields++
				assert.NotEmpty(t, f.Text, "%s: %s.%s is not described", file.Name, d.QEMU, f.QEMU)
				assert.NotRegexp(t, unlinked, f.Text, "%s.%s", d.QEMU, f.QEMU)
			}
		}
	}
	t.Logf("%d devices, %d properties", devices, fields)
}

// TestDescriptionsAreUsed fails for a description of something that does not exist, or in the
// wrong file.
func TestDescriptionsAreUsed(t *testing.T) {
	files := map[string]string{}           // by device
	has := map[string]map[string]bool{}    // properties by device
	having := map[string]map[string]bool{} // devices by property
	for i, file := range build(t).Files {
		for _, d := range file.Devices {
			files[d.QEMU], has[d.QEMU] = curated[i].file+".md", map[string]bool{}
			for _, f := range d.Fields {
				has[d.QEMU][f.QEMU] = true
				if having[f.QEMU] == nil {
					having[f.QEMU] = map[string]bool{}
				}
				having[f.QEMU][d.QEMU] = true
			}
		}
	}
	devices, properties := own(t)
	for name, said := range devices {
		assert.Equal(t, files[name], said.At.File, "%s: the place of %s", said.At.File, name)
		for property := range said.Members {
			assert.True(t, has[name][property], "%s: %s has no property %s", said.At.File, name, property)
		}
	}
	for name, said := range properties {
		assert.NotEmpty(t, having[name], "%s:%d: no device has %s", said.At.File, said.At.Line, name)
		for device := range said.Members {
			assert.True(t, having[name][device], "%s:%d: %s has no property %s", said.At.File, said.At.Line, device, name)
		}
	}
}

// run is the number of words in a row that must not be the same as QEMU's.
const run = 7

var word = regexp.MustCompile(`[a-z0-9]+`)

// shingles are the runs of words of a text.
func shingles(text string) []string {
	words := word.FindAllString(strings.ToLower(text), -1)
	var all []string
	for i := 0; i+run <= len(words); i++ {
		all = append(all, strings.Join(words[i:i+run], " "))
	}
	return all
}

// TestOwnWords fails for a description that shares a run of words with one of QEMU's.
func TestOwnWords(t *testing.T) {
	theirs := map[string]bool{}
	one := corpus.Path(t, "devices", "11.1", "x86_64.jsonl")
	paths, err := filepath.Glob(filepath.Join(filepath.Dir(one), "..", "*", "*.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		for _, text := range descriptionsOf(t, path) {
			for _, s := range shingles(text) {
				theirs[s] = true
			}
		}
	}
	require.Greater(t, len(theirs), 500)
	devices, properties := own(t)
	for _, all := range []descriptions.Descriptions{devices, properties} {
		for name, said := range all {
			for _, text := range append(slices.Sorted(maps.Values(said.Members)), said.Text) {
				for _, s := range shingles(text) {
					assert.False(t, theirs[s], "%s:%d: '%s' has QEMU's words: %s", said.At.File, said.At.Line, name, s)
				}
			}
		}
	}
}

// descriptionsOf returns QEMU's texts in a file with what a binary reports about its devices.
func descriptionsOf(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer file.Close()
	var texts []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var d struct {
			Desc  string
			Props []struct{ Description string }
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &d))
		texts = append(texts, d.Desc)
		for _, p := range d.Props {
			texts = append(texts, p.Description)
		}
	}
	require.NoError(t, lines.Err())
	return texts
}

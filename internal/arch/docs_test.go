package arch

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// read returns the text of a file of the checkout.
func read(t *testing.T, elem ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{root}, elem...)...))
	require.NoError(t, err)
	return string(text)
}

// The program that README shows compiles.
func TestReadmeShowsQuickstart(t *testing.T) {
	_, rest, found := strings.Cut(read(t, "README.md"), "```go\n")
	require.True(t, found, "README.md has no Go program")
	shown, _, found := strings.Cut(rest, "```\n")
	require.True(t, found, "README.md: its Go program has no end")

	source := read(t, "examples", "quickstart", "main.go")
	at := strings.Index(source, "package main\n")
	require.GreaterOrEqual(t, at, 0)
	assert.Equal(t, source[at:], shown)
}

// Every line of Go that README shows is also in a file that compiles.
func TestReadmeCompiles(t *testing.T) {
	compiled := map[string]bool{"": true, "…": true}
	for _, file := range []string{"internal/arch/readme_test.go", "qmp/qmptest/manager_test.go", "examples/quickstart/main.go"} {
		for line := range strings.Lines(read(t, filepath.FromSlash(file))) {
			compiled[strings.TrimSpace(line)] = true
		}
	}
	blocks := strings.Split(read(t, "README.md"), "```go\n")[1:]
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		shown, _, _ := strings.Cut(block, "```\n")
		for line := range strings.Lines(shown) {
			assert.True(t, compiled[strings.TrimSpace(line)], "README.md: no file that compiles has %s", line)
		}
	}
}

// The places in ARCHITECTURE's table exist.
func TestArchitectureNamesPlaces(t *testing.T) {
	_, rest, found := strings.Cut(read(t, "ARCHITECTURE.md"), "| rule | place |\n")
	require.True(t, found, "ARCHITECTURE.md has no table of rules")
	rest, _, _ = strings.Cut(rest, "\n\n")

	quoted := regexp.MustCompile("`([^`]+)`")
	for row := range strings.Lines(rest) {
		columns := strings.Split(row, "|") // with nothing before the first and after the last
		require.Len(t, columns, 4, row)
		if strings.Trim(columns[2], " -") == "" {
			continue
		}
		places := quoted.FindAllStringSubmatch(columns[2], -1)
		require.NotEmpty(t, places, row)
		folder := ""
		for _, p := range places {
			place := p[1]
			if !strings.Contains(place, "/") { // in the folder of the place before it
				place = path.Join(folder, place)
			}
			folder = path.Dir(place)
			assert.True(t, exists(filepath.Join(root, filepath.FromSlash(place))), "ARCHITECTURE.md: there is no %s", place)
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

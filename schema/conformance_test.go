package schema_test

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/schema"
)

// TestConformance runs the cases of QEMU's own test suite: each must be accepted or
// rejected as by QEMU's parser. A rejected one must give an error at the same line, an
// accepted one the same model as in QEMU's dump.
func TestConformance(t *testing.T) {
	dir := corpus.Path(t, "conformance")
	f, err := os.Open(filepath.Join(dir, "cases.tsv"))
	require.NoError(t, err)
	defer f.Close()
	r := csv.NewReader(f)
	r.Comma = '\t'
	r.LazyQuotes = true
	rows, err := r.ReadAll()
	require.NoError(t, err)
	require.Greater(t, len(rows), 100)
	for _, row := range rows[1:] {
		name, verdict, message := row[0], row[1], row[3]
		t.Run(name, func(t *testing.T) {
			s, err := schema.Load(os.DirFS(dir), name+".json", schema.CheckLayout())
			if verdict == "accept" {
				require.NoError(t, err)
				want, err := os.ReadFile(filepath.Join(dir, name+".out"))
				require.NoError(t, err)
				assert.Empty(t, cmp.Diff(parseDump(t, string(want)), dump(s)), "the model differs from QEMU's")
				return
			}
			require.Error(t, err)
			var list schema.ErrorList
			require.ErrorAs(t, err, &list)
			t.Logf("\nours: %v\nQEMU: %s", err, message)
			pos := list[0].Pos
			want := regexp.MustCompile(`^[^:]*:\d+`).FindString(message)
			require.Equal(t, want, fmt.Sprintf("%s:%d", pos.File, pos.Line))
			require.Len(t, list, 1)
			if m := regexp.MustCompile(`: In (\w+ '[^']*'):`).FindStringSubmatch(row[2]); m != nil {
				require.Equal(t, m[1], list[0].In)
			}
		})
	}
}

// TestConformanceExtra runs the cases of that folder that QEMU's suite has but
// does not run.
func TestConformanceExtra(t *testing.T) {
	dir := corpus.Path(t, "conformance")
	for _, name := range []string{"enum-dict-no-name", "event-args-if-unboxed"} {
		_, err := schema.Load(os.DirFS(dir), name+".json")
		require.Error(t, err, name)
		t.Log(err)
	}
	_, err := schema.Load(os.DirFS(dir), "empty.json")
	require.NoError(t, err)
	_, err = schema.Load(os.DirFS(dir), "no-such-file.json")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// parseDump reads QEMU's dump of a schema into entities: each a line such as
// "object X", with the indented lines below it. Modules, lists and
// documentation are left out.
func parseDump(t *testing.T, text string) map[string][]string {
	t.Helper()
	entities := make(map[string][]string)
	cur := ""
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		word, _, _ := strings.Cut(line, " ")
		switch {
		case word == "doc":
			return entities
		case word == "module" || word == "include" || word == "array":
			cur = ""
		case word != "":
			cur = line
			require.NotContains(t, entities, cur)
			entities[cur] = nil
		case cur != "":
			entities[cur] = append(entities[cur], strings.TrimPrefix(line, "    "))
		}
	}
	return entities
}

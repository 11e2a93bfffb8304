package schema_test

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/schema"
)

var roots = map[string]string{
	"qmp": "qapi/qapi-schema.json",
	"qga": "qga/qapi-schema.json",
	"qsd": "storage-daemon/qapi/qapi-schema.json",
}

var releases = []string{
	"5.2", "6.0", "6.1", "6.2", "7.0", "7.1", "7.2", "8.0", "8.1", "8.2", "9.0", "9.1", "9.2", "10.0", "10.1", "10.2", "11.1",
}

// ends returns the releases for tests of all releases: with -short only the oldest and the newest.
func ends() []string { return short.Ends(releases) }

func loadRelease(t testing.TB, release, target string, opts ...schema.Option) *schema.Schema {
	t.Helper()
	dir := corpus.Path(t, "schema", release)
	s, err := schema.Load(os.DirFS(dir), roots[target], opts...)
	require.NoError(t, err)
	return s
}

// TestReleases counts what each release defines; the figures are those of
// QEMU's own parser, for 11.1 of its manual.
func TestReleases(t *testing.T) {
	type counts struct{ commands, events, enums, structs, unions, alternates int }
	for release, want := range map[string]map[string]counts{
		"5.2":  {"qmp": {196, 48, 125, 275, 31, 5}, "qga": {40, 0, 6, 27, 1, 1}, "qsd": {76, 13, 64, 143, 20, 5}},
		"7.2":  {"qmp": {220, 52, 155, 418, 39, 6}, "qga": {42, 0, 7, 32, 3, 1}, "qsd": {74, 13, 78, 233, 23, 5}},
		"10.0": {"qmp": {240, 56, 181, 468, 43, 6}, "qga": {44, 0, 8, 34, 3, 2}, "qsd": {76, 13, 79, 254, 25, 5}},
		"10.2": {"qmp": {244, 57, 182, 479, 43, 6}, "qga": {44, 0, 8, 34, 3, 2}, "qsd": {77, 13, 79, 260, 25, 5}},
		"11.1": {"qmp": {243, 57, 186, 490, 43, 7}, "qga": {44, 0, 8, 34, 3, 2}, "qsd": {77, 13, 81, 261, 25, 6}},
	} {
		if testing.Short() && !slices.Contains(ends(), release) {
			continue
		}
		for target, want := range want {
			t.Run(release+"/"+target, func(t *testing.T) {
				s := loadRelease(t, release, target)
				require.Equal(t, want, counts{
					len(s.Commands()), len(s.Events()), len(s.Enums()), len(s.Structs()), len(s.Unions()), len(s.Alternates()),
				})
			})
		}
	}
}

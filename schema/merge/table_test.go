package merge

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
)

// TestTables checks that each row has a reason. Package qemu, which has the releases,
// tests that they need each row.
func TestTables(t *testing.T) {
	for at, d := range decisions {
		assert.NotEmpty(t, d.is, at)
		assert.NotEmpty(t, d.why, at)
	}
	for at, why := range always {
		assert.NotEmpty(t, why, at)
	}
}

// TestDecision checks that a row decides about types that cannot be merged, and that it is recorded
// as used.
func TestDecision(t *testing.T) {
	defer func(old map[string]decision) { decisions = old }(decisions)
	decisions = map[string]decision{"c().a": {"int", "a test"}, "c().z": {"int", "not needed"}}
	var releases []Release
	for _, text := range []string{"{ 'command': 'c', 'data': { 'a': 'int' } }", "{ 'command': 'c', 'data': { 'a': [ 'int' ] } }"} {
		s, err := schema.Load(fstest.MapFS{"q/s.json": {Data: []byte(text)}}, "q/s.json")
		require.NoError(t, err)
		releases = append(releases, Release{Name: "1", Schema: s})
	}
	m, err := Schemas(releases)
	require.NoError(t, err)
	args := m.Lookup("c").(*schema.Command).Args.(*schema.Struct)
	assert.Equal(t, schema.Type(schema.Int), args.Members[0].Type)
	assert.Contains(t, m.UnusedRows(), "c().z")
	assert.NotContains(t, m.UnusedRows(), "c().a")
}

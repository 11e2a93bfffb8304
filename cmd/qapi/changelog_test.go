package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestChangelog holds that the changelog has the reports on these releases.
func TestChangelog(t *testing.T) {
	text, err := os.ReadFile("../../CHANGELOG.md")
	require.NoError(t, err)
	releases := []string{"5.2", "7.2", "10.0", "10.2", "11.1"}
	for i := 1; i < len(releases); i++ {
		var report strings.Builder
		tool := &tool{stdout: &report, stderr: os.Stderr}
		require.Equal(t, 0, tool.run(t.Context(), []string{"diff", "-markdown", releases[i-1], releases[i]}))
		assert.Contains(t, string(text), report.String(), "%s to %s", releases[i-1], releases[i])
	}
}

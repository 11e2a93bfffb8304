package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFakes(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), nil, &out))
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	require.Len(t, lines, 53, "%s", &out)
	assert.Equal(t, []string{"total", "100", "50", "50", "0"}, strings.Fields(lines[51])[:5])
	for _, line := range lines[1:51] {
		fields := strings.Fields(line)
		require.Len(t, fields, 7, "%s", line)
		assert.Equal(t, []string{"2", "1", "1", "0"}, fields[1:5], "%s", line)
		assert.Equal(t, "1", fields[6], "%s", line)
	}
	t.Logf("\n%s", &out)
}

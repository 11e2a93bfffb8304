package cli

import (
	"bytes"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"

	"github.com/goqapi/goqapi/schema/qemu"
)

const changesHead = `# What QEMU has changed

The reports of ` + "`qapi diff -markdown`" + ` on each release that is here and the one before it,
the newest first. What breaks Go code breaks that of users who generate bindings from
a single release, and move to the next.
`

// TestChanges compares schema/qemu/CHANGES.md with what the tool reports about the
// releases in schema/qemu. UPDATE=1 writes it again.
func TestChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it compares all releases")
	}
	const path = "../../../../schema/qemu/CHANGES.md"
	changes := bytes.NewBufferString(changesHead)
	releases := qemu.Releases()
	slices.Reverse(releases)
	for i, old := range releases[1:] {
		changes.WriteByte('\n')
		a := &app{out: changes, errOut: os.Stderr}
		require.Equal(t, exit.OK, a.run(t.Context(), []string{"diff", "-markdown", old, releases[i]}))
	}
	if os.Getenv("UPDATE") == "1" {
		require.NoError(t, os.WriteFile(path, changes.Bytes(), 0o666))
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, changes.String(), string(text), "%s is not what qapi diff reports: see UPDATE=1 in CONTRIBUTING.md", path)
}

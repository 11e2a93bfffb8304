package qmptest_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema/qemu"
)

// TestCommandsAreListed compares the list of executed commands, in the comment of the package,
// with the commands that are executed. UPDATE=1 writes the list.
func TestCommandsAreListed(t *testing.T) {
	const newest = "11.1"
	srv := qmptest.Start(t, qmptest.Release(newest))
	s, err := qemu.Load(newest, qemu.QMP)
	require.NoError(t, err)
	var executed []string
	all := 0
	for _, c := range s.Commands() {
		all++
		if srv.Handler(c.Name) != nil || c.Name == "qmp_capabilities" {
			executed = append(executed, c.Name)
		}
	}
	slices.Sort(executed)
	count := fmt.Sprintf("%d of the %d commands of QEMU %s", len(executed), all, newest)
	var b strings.Builder
	fmt.Fprintf(&b, "// # Commands\n//\n// It executes %s; playing an older release, those that\n// this one has. Any other fails the test and says that nothing executes it.\n//\n", count)
	line := "//\t"
	for i, name := range executed {
		if i < len(executed)-1 {
			name += ","
		}
		if len(line)+len(name) > 90 {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = "//\t"
		}
		line += name + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\npackage qmptest\n")
	const file = "commands.go"
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(file, []byte(b.String()), 0o600))
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, b.String(), string(text), "UPDATE=1 writes it anew")
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	said := strings.Contains(strings.Join(strings.Fields(string(readme)), " "), count) // Contains would print all of it
	assert.True(t, said, "README.md does not say %q", count)
}

package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestDocs compares cmd/qapi/docs, which has a file for each command, with the help of the
// commands. UPDATE=1 writes it again.
func TestDocs(t *testing.T) {
	const dir = "../../docs"
	root := newRoot(newWorld(t).app("", nil, nil))
	root.InitDefaultCompletionCmd()
	pages := map[string]string{"README.md": index(root)}
	for _, cmd := range visible(root) {
		pages[cmd.Name()+".md"] = page(cmd)
	}
	if os.Getenv("UPDATE") == "1" {
		require.NoError(t, os.RemoveAll(dir))
		require.NoError(t, os.Mkdir(dir, 0o777))
		for name, text := range pages {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666))
		}
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, len(pages), "a command was removed: see UPDATE=1 in CONTRIBUTING.md")
	for name, text := range pages {
		got, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err, "see UPDATE=1 in CONTRIBUTING.md")
		assert.Equal(t, text, string(got), "%s: see UPDATE=1 in CONTRIBUTING.md", name)
	}
}

func visible(cmd *cobra.Command) []*cobra.Command {
	var list []*cobra.Command
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			list = append(list, c)
		}
	}
	return list
}

// index is the page that lists all commands.
func index(root *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# qapi\n\n```\n%s\n```\n\n| command | |\n| --- | --- |\n", root.Long)
	for _, cmd := range visible(root) {
		fmt.Fprintf(&b, "| [`qapi %s`](%s.md) | %s |\n", cmd.Name(), cmd.Name(), cmd.Short)
	}
	return b.String()
}

// page is the page of a command and of those below it.
func page(cmd *cobra.Command) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\n```\n", cmd.CommandPath(), cmd.Short)
	if cmd.Long != "" {
		fmt.Fprintf(&b, "%s\n\n", strings.TrimSpace(cmd.Long))
	}
	cmd.InitDefaultHelpFlag()
	fmt.Fprintf(&b, "%s\n```\n", strings.TrimSpace(cmd.UsageString()))
	for _, sub := range visible(cmd) {
		b.WriteString("\n#" + page(sub))
	}
	return b.String()
}

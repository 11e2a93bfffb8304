package schema_test

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

func requireSameModel(t *testing.T, want, got *schema.Schema) {
	t.Helper()
	require.Empty(t, cmp.Diff(dumpAll(want), dumpAll(got)), "the models differ")
}

// TestSnapshots proves that the schemas in this module are what upstream's
// files say.
func TestSnapshots(t *testing.T) {
	require.Equal(t, releases, qemu.Releases())
	for _, release := range ends() {
		for target, root := range map[string]string{"qmp": qemu.QMP, "qga": qemu.QGA} {
			t.Run(release+"/"+target, func(t *testing.T) {
				got, err := qemu.Load(release, root)
				require.NoError(t, err)
				requireSameModel(t, loadRelease(t, release, target), got)

				version, err := os.ReadFile(corpus.Path(t, "schema", release, "VERSION"))
				require.NoError(t, err)
				ours, err := os.ReadFile("qemu/" + release + "/VERSION")
				require.NoError(t, err)
				require.True(t, bytes.HasPrefix(ours, version), "%s", ours)
			})
		}
	}
}

// TestSnapshotsFormatted proves that the snapshots are this printer's output,
// and that printing them again changes nothing.
func TestSnapshotsFormatted(t *testing.T) {
	for _, release := range ends() {
		for _, root := range []string{qemu.QMP, qemu.QGA} {
			s, err := qemu.Load(release, root)
			require.NoError(t, err)
			for _, m := range s.Modules {
				text, err := os.ReadFile("qemu/" + release + "/" + m.Path)
				require.NoError(t, err)
				require.Equal(t, string(text), string(s.Format(m)), "%s %s", release, m.Path)
			}
		}
	}
}

// TestSnapshotsCurrent holds the snapshots that are in the current language to
// all of its rules.
func TestSnapshotsCurrent(t *testing.T) {
	for _, release := range ends() {
		if release == "5.2" {
			continue // in the language of its time
		}
		fsys, err := qemu.FS(release)
		require.NoError(t, err)
		_, err = schema.Load(fsys, qemu.QMP, schema.CheckLayout())
		require.NoError(t, err)
	}
}

// TestFormatTestSuite prints what QEMU's test suite accepts, and reads it back.
func TestFormatTestSuite(t *testing.T) {
	dir := corpus.Path(t, "conformance")
	for _, name := range []string{"alternate-array", "comments", "doc-good", "empty", "include-simple", "indented-expr", "qapi-schema-test"} {
		s, err := schema.Load(os.DirFS(dir), name+".json")
		require.NoError(t, err)
		again, err := schema.Load(formatted(s), name+".json")
		require.NoError(t, err, name)
		requireSameModel(t, s, again)
	}
}

// formatted prints all modules of a schema.
func formatted(s *schema.Schema) fstest.MapFS {
	files := make(fstest.MapFS)
	for _, m := range s.Modules {
		files[m.Path] = &fstest.MapFile{Data: s.Format(m)}
	}
	return files
}

// TestStorageDaemon proves that the storage daemon's schema is a part of QMP's.
func TestStorageDaemon(t *testing.T) {
	for _, release := range ends() {
		t.Run(release, func(t *testing.T) {
			all := dumpWith(loadRelease(t, release, "qmp"), true)
			part := loadRelease(t, release, "qsd")
			for name, lines := range dumpWith(part, true) {
				require.Contains(t, all, name)
				require.Equal(t, all[name], lines, name)
			}
			var commands []string
			for _, c := range part.Commands() {
				commands = append(commands, c.Name)
			}
			t.Logf("the storage daemon has %d commands: %s", len(commands), strings.Join(commands, " "))
		})
	}
}

// TestFormatMiddle prints what only releases between 5.2 and 9.0 have, and reads
// it back.
func TestFormatMiddle(t *testing.T) {
	const note = "##\n# Text\n##\n##\n# @Aa:\n#\n# Note: old\n##\n{ 'struct': 'Aa', 'data': { 'x': 'str' } }\n"
	for _, text := range []string{
		"{ 'command': 'c', 'if': 'defined(_WIN32) && !defined(foo)' }",
		"{ 'struct': 'Bb', 'data': { 'x': { 'type': 'int', 'if': 'defined(foo)' } } }",
		"{ 'enum': 'En', 'data': [ { 'name': 'a', 'if': { 'any': [ 'A', 'defined(_A)' ] } } ] }",
		"{ 'union': 'Un', 'data': { 'a': 'Aa' } }",
		"{ 'struct': 'FooKind', 'data': { 'x': 'int' }, 'if': 'defined(A)' }",
	} {
		s, err := loadText(note + text)
		require.NoError(t, err, text)
		again, err := schema.Load(formatted(s), s.Modules[0].Path)
		require.NoError(t, err, text)
		requireSameModel(t, s, again)
	}
}

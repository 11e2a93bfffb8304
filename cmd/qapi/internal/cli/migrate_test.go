package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/internal/qemutest"
)

func TestMigrate(t *testing.T) {
	w := newWorld(t)
	code, out, errs := w.run("", words("migrate web01 tcp:localhost:4444 --bandwidth 100M --downtime 300ms --multifd 2")...)
	require.Equal(t, exit.OK, code, errs)
	assert.Empty(t, out)
	assert.Contains(t, errs, "qapi: the machine is there: ")
	assert.NotContains(t, errs, "\x1b", "it is not a terminal")
	var set []string
	for _, c := range w.vm.Calls() {
		if c.Command == "migrate-set-parameters" {
			set = append(set, string(c.Arguments))
		}
	}
	assert.Contains(t, strings.Join(set, " "), `"max-bandwidth":104857600`)
	code, _, errs = w.run("", words("migrate web01 tcp:localhost:4444 --bandwidth lots")...)
	assert.Equal(t, exit.Usage, code)
	assert.Contains(t, errs, `--bandwidth: "lots" is not a number of bytes, such as 4096 or 100M`)
}

// TestQEMUMigrate saves a real machine in a file, and loads the file into another one.
func TestQEMUMigrate(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		w := newWorld(t)
		args := []string{"-nodefaults", "-display", "none", "-machine", "q35", "-m", "16"}
		from := q.Run(t, args...)
		to := q.Run(t, append(args, "-incoming", "defer")...)
		file := filepath.Join(w.dir, "state")
		run := func(args ...string) string {
			t.Helper()
			code, out, errs := w.run("", args...)
			require.Equal(t, exit.OK, code, "%v: %s", args, errs)
			return out + errs
		}
		assert.Contains(t, run("migrate", from.Addr(), "exec:cat > "+file), "qapi: the machine is there: ")
		assert.Contains(t, run("migrate", "--incoming", to.Addr(), "exec:cat "+file), "qapi: the machine has arrived, and is ")
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Positive(t, info.Size())
	})
}

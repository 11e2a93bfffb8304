package qmptest_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/qmptest"
)

// python returns the program that runs QEMU's own client, of the package qemu.qmp; PYTHONPATH may say
// where that is. Without it the test is skipped.
func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	if text, err := exec.CommandContext(t.Context(), path, "-c", "import qemu.qmp").CombinedOutput(); err != nil {
		t.Skipf("python3 has no package qemu.qmp, which PYTHONPATH=%s could lead to: %s", os.Getenv("PYTHONPATH"), lastLine(text))
	}
	return path
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// client is a session with QEMU's own client.
const client = `
import asyncio, sys
from qemu.qmp import QMPClient, ExecuteError

async def main():
    c = QMPClient("test")
    await c.connect(sys.argv[1])
    print(c.greeting.QMP.version["qemu"]["major"])
    print((await c.execute("query-status"))["status"])
    with c.listener(("RESUME", "STOP")) as events:
        await c.execute("cont")
        await c.execute("stop")
        print((await events.get())["event"], (await events.get())["event"])
    await c.execute("blockdev-add", {"driver": "null-co", "node-name": "n", "size": 65536})
    print([n["node-name"] for n in await c.execute("query-named-block-nodes")])
    try:
        await c.execute("blockdev-del", {"node-name": "none"})
    except ExecuteError as e:
        print(e.error_class, e)
    await c.disconnect()

asyncio.run(main())
`

// TestPythonClient runs QEMU's own Python client against the fake.
func TestPythonClient(t *testing.T) {
	python := python(t)
	for _, release := range []string{"5.2", "11.1"} {
		path, _ := listening(t, release)
		text, err := exec.CommandContext(t.Context(), python, "-c", client, path).CombinedOutput()
		require.NoError(t, err, "%s", text)
		assert.Equal(t, []string{
			strings.Split(release, ".")[0], "prelaunch", "RESUME STOP", "['n']",
			"GenericError Failed to find node with node-name='none'",
		}, strings.Split(strings.TrimSpace(string(text)), "\n"), release)
	}
}

// TestPythonShell runs QEMU's own shell against the fake.
func TestPythonShell(t *testing.T) {
	python := python(t)
	path, srv := listening(t, "10.0")
	shell := exec.CommandContext(t.Context(), python, "-m", "qemu.qmp.qmp_shell", path)
	shell.Stdin = strings.NewReader("query-status\nblockdev-add driver=null-co node-name=n\nblockdev-del node-name=none\nstop x=1\n")
	shell.Env = append(os.Environ(), "HOME="+t.TempDir()) // it keeps a history
	text, err := shell.CombinedOutput()
	require.NoError(t, err, "%s", text)
	for _, want := range []string{`"prelaunch"`, "Failed to find node with node-name='none'", "Parameter 'x' is unexpected"} {
		assert.Contains(t, string(text), want)
	}
	assert.Equal(t, 1, srv.Count("blockdev-add"))
}

// listening returns a server of a release, and the path of its socket.
func listening(t *testing.T, release string) (string, *qmptest.Server) {
	t.Helper()
	srv := qmptest.Start(t, qmptest.Release(release))
	addr, err := srv.Listen("unix:" + filepath.Join(socketDir(t), "qmp"))
	require.NoError(t, err)
	return strings.TrimPrefix(addr, "unix:"), srv
}

package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/schema/qemu"
)

// said makes a file with what a binary reported.
func said(t *testing.T, target, version, devices string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), target+".jsonl")
	require.NoError(t, os.WriteFile(file, []byte(`{"version":"`+version+`","target":"`+target+`"}`+"\n"+devices), 0o644))
	return file
}

func TestDevices(t *testing.T) {
	out := t.TempDir()
	dir := filepath.Join(out, "1.2")
	nic := `{"name":"nic","parents":["device","object"],"bus":"PCI","props":[{"name":"mac","type":"str","description":"Ethernet 6-byte MAC"}]}`
	code, _, stderr := run(t, "devices", "-out", out, said(t, "s390x", "1.2.3", nic))
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, "there is no folder "+dir+": add the release with \"qapi schema import\" first, or use --out")

	require.NoError(t, os.Mkdir(dir, 0o755))
	first := said(t, "s390x", "1.2.3", nic+"\n"+`{"name":"bad","parents":["device","object"],"crash":"it ended\u001b"}`)
	code, stdout, stderr := run(t, "devices", "-out", out, first)
	require.Equal(t, exit.OK, code, stderr)
	require.Equal(t, first+": QEMU 1.2.3 for s390x: 2 devices, 1 properties\n"+
		first+`: the properties of bad are left out: it ended\x1b`+"\n"+
		filepath.Join(dir, "devices.txt")+": 3 types of 1 targets\n", stdout)

	// Another target is added; the same one again is replaced.
	code, _, stderr = run(t, "devices", "-out", out, said(t, "x86_64", "1.2.3", nic), said(t, "s390x", "1.2.4", nic))
	require.Equal(t, exit.OK, code, stderr)
	text, err := os.ReadFile(filepath.Join(dir, "devices.txt"))
	require.NoError(t, err)
	require.Equal(t, `# What QEMU says of its devices, facts only, written by goqapi. Do not edit.
release 1.2
binary x86_64 1.2.3
binary s390x 1.2.4

device abstract bus=PCI

nic < device
	mac str/mac
`, string(text))

	// After an error the file is unchanged.
	for _, c := range []struct{ arg, err string }{
		{said(t, "s390x", "1.2.4", "}"), "s390x.jsonl:2: invalid character"},
		{"/no/such/file.jsonl", "open /no/such/file.jsonl: no such file or directory"},
		{"/no/such/qemu", "ask /no/such/qemu for its devices: "},
		{said(t, "s390x", "1.2.4", `{"name":"nic","parents":["device","object"],"bus":"ISA"}`), "type nic: target s390x describes it differently than target x86_64"},
	} {
		code, _, stderr = run(t, "devices", "-out", out, c.arg)
		require.Equal(t, exit.Failed, code)
		require.Contains(t, stderr, c.err)
	}
	code, _, _ = run(t, "devices")
	require.Equal(t, exit.Usage, code)
	again, err := os.ReadFile(filepath.Join(dir, "devices.txt"))
	require.NoError(t, err)
	require.Equal(t, string(text), string(again))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing else may be left")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "devices.txt"), []byte("nonsense"), 0o644))
	code, _, stderr = run(t, "devices", "-out", out, first)
	require.Equal(t, exit.Failed, code)
	require.Contains(t, stderr, filepath.Join(dir, "devices.txt")+":1: there is no line that names the release")
}

// TestQEMUDevices checks that the command asks a binary.
func TestQEMUDevices(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		out := t.TempDir()
		for _, release := range qemu.Releases() { // the binary reports itself which release it is
			require.NoError(t, os.Mkdir(filepath.Join(out, release), 0o755))
		}
		code, stdout, stderr := run(t, "devices", "-out", out, q.Path)
		require.Equal(t, exit.OK, code, stderr)
		require.Contains(t, stdout, " for x86_64: ")
		written, err := filepath.Glob(filepath.Join(out, "*", "devices.txt"))
		require.NoError(t, err)
		require.Len(t, written, 1)
		text, err := os.ReadFile(written[0])
		require.NoError(t, err)
		require.Contains(t, string(text), "\nvirtio-blk-pci < ")
	})
}

package arch

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/gotool"
)

// How many bytes a program with one command may have more than hello world, both stripped.
// Without arguments: the network is 586 thousand of them, and log/slog, which LogValue methods need, 25
// thousand. Arguments are encoded by the reflection of the JSON module: with the network that is
// 1.5 million.
const (
	maxExtra              = 1_230_000
	maxExtraWithArguments = 1_965_000
	maxExtraOfNewerGo     = 95_000 // Go 1.27 adds 65 to 75 thousand to both
)

// maxTool is how large the tool for people may be, stripped.
const maxTool = 12_000_000

// goBuild runs go build on a package, whose path can be relative to this folder. It builds for one
// platform, so that figures are the same everywhere.
func goBuild(t testing.TB, pkg string, flags ...string) *os.ProcessState {
	t.Helper()
	watched := pkg
	if rel, ok := strings.CutPrefix(pkg, "./"); ok {
		watched = "./internal/arch/" + rel
	}
	gotool.Watch(t, watched)
	args := append([]string{"build", "-trimpath"}, flags...)
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOEXPERIMENT=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go build %v: %s", args, out)
	return cmd.ProcessState
}

func TestSize(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it links four programs")
	}
	newer := int64(0)
	if !strings.HasPrefix(runtime.Version(), "go1.26") {
		newer = maxExtraOfNewerGo
	}
	assert.LessOrEqual(t, extra(t, "./testdata/onecall"), maxExtra+newer)
	assert.LessOrEqual(t, extra(t, "./testdata/arguments"), maxExtraWithArguments+newer)
}

// extra returns how many bytes a program has more than hello world.
func extra(t testing.TB, program string) int64 {
	t.Helper()
	hello, one := stripped(t, "./testdata/hello"), stripped(t, program)
	t.Logf("hello world is %d bytes, %s %d: %d more", hello, program, one, one-hello)
	return one - hello
}

// stripped returns the size of a stripped program.
func stripped(t testing.TB, pkg string) int64 {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	goBuild(t, pkg, "-ldflags=-s -w", "-o", path)
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}

func TestToolSize(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it links the tool")
	}
	size := stripped(t, module+"/cmd/qapi")
	t.Logf("the tool is %d bytes", size)
	assert.LessOrEqual(t, size, int64(maxTool))
}

// A program with a typed device is no larger than one with an open device.
func TestTypedDeviceSize(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it links two programs")
	}
	assert.LessOrEqual(t, stripped(t, "./testdata/typed"), stripped(t, "./testdata/props"))
}

// The linker drops the commands that a program does not issue, their types, the ways to
// connect that it does not use, and the reflection of JSON, which its command does not need.
func TestUnusedIsDropped(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it links a program")
	}
	path := filepath.Join(t.TempDir(), "program")
	goBuild(t, "./testdata/onecall", "-o", path)
	out, err := exec.Command("go", "tool", "nm", path).Output()
	require.NoError(t, err)
	symbols := string(out)
	require.Contains(t, symbols, module+"/qmp.(*Conn).executeInto")

	method := regexp.MustCompile(`/qapi\.\(\*Client\)\.(\w+)`)
	for _, m := range method.FindAllStringSubmatch(symbols, -1) {
		assert.Contains(t, []string{"QueryStatus", "Close", "With", "Conn"}, m[1], "a command that is not issued")
	}
	assert.NotContains(t, symbols, "/qapi.BlockdevOptions")
	assert.NotContains(t, symbols, "/qapi/device.")
	assert.NotContains(t, symbols, "go-json-experiment/json.Unmarshal")
	assert.NotContains(t, symbols, "go-json-experiment/json.Marshal")
	assert.NotContains(t, symbols, " crypto/tls.")
	assert.NotContains(t, symbols, " os/exec.")
}

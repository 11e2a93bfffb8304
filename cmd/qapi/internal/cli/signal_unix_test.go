//go:build unix

package cli

import (
	"bufio"
	"context"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"

	"github.com/goqapi/goqapi/qmp/qmptest"
)

// asProgram makes the test's program run qapi itself.
const asProgram = "QAPI_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// TestTerminated checks that a program that is asked to end removes its files.
func TestTerminated(t *testing.T) {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // as under nohup: the program inherits that SIGHUP is ignored, and continues
		signals = append(signals, syscall.SIGHUP)
	}
	for _, sig := range signals {
		dir := t.TempDir()
		socket := filepath.Join(dir, "s")
		cmd := exec.Command(os.Args[0], "record", "unix:"+socket, "unix:/none", filepath.Join(dir, "f"))
		cmd.Env = append(os.Environ(), asProgram+"=1")
		said, err := cmd.StderrPipe()
		require.NoError(t, err)
		require.NoError(t, cmd.Start())
		line, err := bufio.NewReader(said).ReadString('\n')
		require.NoError(t, err)
		require.Equal(t, "waiting at unix:"+socket+"\n", line)
		require.NoError(t, cmd.Process.Signal(sig))
		err = cmd.Wait()
		require.Error(t, err)
		assert.Equal(t, exit.Interrupted, cmd.ProcessState.ExitCode(), "%v: %v", sig, err)
		assert.NoFileExists(t, socket)
	}
}

// TestClosedPipe closes the pipe to which import prints.
func TestClosedPipe(t *testing.T) {
	temp, out := t.TempDir(), t.TempDir()
	file := filepath.Join(t.TempDir(), "qemu.tar")
	require.NoError(t, os.WriteFile(file, archive(t, "11.1", "11.2.0"), 0o600))
	read, write, err := os.Pipe()
	require.NoError(t, err)
	read.Close()
	cmd := exec.Command(os.Args[0], "import", "-out", out, file)
	cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+temp)
	cmd.Stdout = write
	require.Error(t, cmd.Run()) // by SIGPIPE
	write.Close()
	left, err := os.ReadDir(temp)
	require.NoError(t, err)
	assert.Empty(t, left)
	requireImported(t, filepath.Join(out, "11.2"), "11.1", "11.2.0")
}

// TestPrivate checks that no other user can connect or read, even if the umask is 0 and the
// file existed before.
func TestPrivate(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	srv := qmptest.Start(t)
	target, err := srv.Listen("tcp:127.0.0.1:0")
	require.NoError(t, err)
	dir := t.TempDir()
	socket, file := filepath.Join(dir, "s"), filepath.Join(dir, "f")
	require.NoError(t, os.WriteFile(file, []byte("what was there before"), 0o666))
	require.NoError(t, os.Chmod(file, 0o666))
	ctx, cancel := context.WithCancel(t.Context())
	waiting, says, err := os.Pipe()
	require.NoError(t, err)
	defer waiting.Close()
	done := make(chan int)
	go func() {
		a := &app{out: says, errOut: says, finder: new(world)}
		done <- a.run(ctx, []string{"record", "unix:" + socket, target, file})
		says.Close()
	}()
	_, err = bufio.NewReader(waiting).ReadString('\n')
	require.NoError(t, err)
	for _, path := range []string{socket, file} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), path)
	}
	cancel()
	require.Equal(t, exit.Interrupted, <-done)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "before")
}

// TestPipes checks that the tool does not wait for the other end of a named pipe.
func TestPipes(t *testing.T) {
	dir := writeFiles(t, map[string]string{"qapi/qapi-schema.json": "{ 'include': 'pipe.json' }", "qga/qapi-schema.json": ""})
	pipe := filepath.Join(dir, "qapi", "pipe.json")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "VERSION"), 0o600))
	good := writeFiles(t, map[string]string{"VERSION": "1.0.0", "qapi/qapi-schema.json": "", "qga/qapi-schema.json": ""})
	out := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(out, "1.0"), 0o700))
	for _, args := range [][]string{
		{"check", pipe}, {"check", dir}, {"dump", dir}, {"diff", pipe, "11.1"},
		{"import", "-out", out, pipe}, {"import", "-out", out, dir}, {"record", "tcp:127.0.0.1:0", "unix:/none", pipe},
	} {
		code, _, stderr := run(t, args...)
		require.Equal(t, exit.Failed, code, "%q", args)
		require.Contains(t, stderr, "not a regular file", "%q", args)
	}
	code, _, stderr := run(t, "import", "-out", t.TempDir(), good)
	require.Equal(t, exit.OK, code, stderr)
}

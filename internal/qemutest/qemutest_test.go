package qemutest

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEndWithTest starts a process, which starts a child with EndWithTest. When the process is killed, the child ends.
func TestEndWithTest(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can do that")
	}
	if os.Getenv("QEMUTEST_PARENT") != "" {
		child := exec.Command("sleep", "600")
		child.Stdout = os.Stdout // it holds our output open
		EndWithTest(child)
		require.NoError(t, child.Start())
		_, err := os.Stdout.WriteString("started\n")
		require.NoError(t, err)
		select {}
	}
	parent := exec.Command(os.Args[0], "-test.run=^TestEndWithTest$")
	parent.Env = append(os.Environ(), "QEMUTEST_PARENT=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "started", strings.TrimSpace(line))
	require.NoError(t, parent.Process.Kill())
	over := make(chan error, 1)
	go func() {
		_, err := lines.ReadByte()
		over <- err
	}()
	select {
	case err := <-over:
		require.Error(t, err, "the output has ended: nobody holds it any more")
	case <-time.After(time.Minute):
		t.Fatal("the child goes on")
	}
	_ = parent.Wait() // killed
}

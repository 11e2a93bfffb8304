package qmp_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp"
)

// TestSupervisor kills a machine, which the supervisor starts again, and then cancels the supervisor.
func TestSupervisor(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the server that this test uses in place of QEMU needs Linux")
	}
	testSupervisor(t, func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "QMP_TEST_SERVER=serve", "QMP_TEST_LAUNCHED=yes", "QMP_TEST_POWERDOWN=exit")
		return cmd
	})
}

func TestQEMUSupervisor(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		testSupervisor(t, func() *exec.Cmd {
			return exec.Command(q.Path, "-S", "-nodefaults", "-display", "none", "-machine", "none")
		})
		bad := exec.Command(q.Path, "-S", "-machine", "none", "-frobnicate")
		ctx, cancel := context.WithCancel(t.Context())
		var news []string
		s := supervisor{qemu: func() *exec.Cmd { return bad }, delay: time.Hour, tell: func(text string) {
			news = append(news, text)
			cancel()
		}}
		require.NoError(t, s.run(ctx))
		assert.Contains(t, strings.Join(news, "\n"), "-frobnicate", "what QEMU says of it")
	})
}

func testSupervisor(t *testing.T, command func() *exec.Cmd) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var started []*exec.Cmd
	var news []string
	s := supervisor{delay: time.Millisecond, end: qmp.Steps{Powerdown: 100 * time.Millisecond}}
	s.qemu = func() *exec.Cmd {
		started = append(started, command())
		return started[len(started)-1]
	}
	s.tell = func(text string) {
		news = append(news, text)
		switch {
		case text != "the machine runs":
		case len(started) == 1:
			assert.NoError(t, started[0].Process.Kill())
		default:
			cancel()
		}
	}
	require.NoError(t, s.run(ctx))
	require.Len(t, news, 3, "%q", news)
	assert.Contains(t, news[1], "signal: killed")
	assert.Contains(t, news[1], "starting it again")
	require.Len(t, started, 2)
	require.NotNil(t, started[1].ProcessState)
}

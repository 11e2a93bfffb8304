package cli

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/qapi"
)

func TestPS(t *testing.T) {
	w := newWorld(t)
	w.found = append(w.found,
		target.Machine{PID: 3, Name: "lab\x1b[2J", Program: "qemu-kvm", Address: "libvirt:lab", Libvirt: true, Clients: 1},
		target.Machine{PID: 4, Program: "qemu-system-arm", Address: w.found[0].Address, Clients: 1},
		target.Machine{PID: 5, Program: "qemu-system-arm", Address: w.found[0].Address, Waits: true},
		target.Machine{PID: 12345, Program: "qemu-system-arm"})
	code, out, errs := w.run("", "ps")
	require.Equal(t, exit.OK, code, errs)
	var lines []string
	for line := range strings.Lines(strings.ReplaceAll(out, w.dir, "DIR")) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	assert.Equal(t, []string{
		"PID NAME QEMU ADDRESS STATE",
		"1 web01 11.1.0 unix:DIR/1 free",
		"2 web02 5.2.0 unix:DIR/2 free",
		`3 lab\x1b[2J - libvirt:lab libvirt holds its monitor`,
		"4 - - unix:DIR/1 busy: 1 client",
		"5 - - unix:DIR/1 free",
		"12345 - - - no QMP monitor",
	}, lines)
	assert.Empty(t, errs)
	code, out, _ = w.run("", "ps", "--json")
	require.Equal(t, exit.OK, code)
	assert.Contains(t, out, `"pid":3,"name":"lab\u001b[2J","program":"qemu-kvm","address":"libvirt:lab","libvirt":true,"clients":1}`)
}

func TestJobs(t *testing.T) {
	w := newWorld(t)
	slowJob(w)
	run := func(want int, line string) string {
		t.Helper()
		code, out, errs := w.run("", words(line)...)
		require.Equal(t, want, code, "%s: %s", line, errs)
		return out + errs
	}
	assert.Regexp(t, `^ID     TYPE     DONE   STATE\nslow   backup   0.\d%   running\n$`, run(exit.OK, "job ls web01"))
	assert.Contains(t, run(exit.OK, "job ls web01 --json"), `"id":"slow"`)
	run(exit.OK, "job pause web01 slow")
	assert.Contains(t, run(exit.OK, "job ls web01"), "paused")
	assert.Contains(t, run(exit.Failed, "job pause web01 slow nope"), "the server has no such job")
	run(exit.OK, "job resume web01 slow")
	run(exit.OK, "job cancel web01 slow")
	failingJob(w)
	assert.Contains(t, run(exit.OK, "job ls web01"), "concluded: ")
	run(exit.OK, "job dismiss web01 new")
	assert.Empty(t, run(exit.OK, "job ls web01"))
	run(exit.OK, "job wait web01")
	run(exit.Failed, "job wait web01 new")

	assert.Contains(t, run(exit.Failed, "job watch web01 three"), "no such job")
}

// TestJobWatch prints a line for each state, until the job has ended.
func TestJobWatch(t *testing.T) {
	w := newWorld(t)
	slowJob(w)
	read, write := io.Pipe()
	done := make(chan int)
	go func() {
		code := w.app("", write, io.Discard).run(t.Context(), words("job watch web01 slow"))
		write.Close()
		done <- code
	}()
	lines := bufio.NewScanner(read)
	require.True(t, lines.Scan())
	assert.Equal(t, `{"id":"slow","state":"running"}`, lines.Text())
	for _, status := range []qapi.JobStatus{"paused", "running", "concluded"} {
		w.vm.Emit(qapi.JobStatusChangeEvent{ID: "slow", Status: status})
	}
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	assert.Regexp(t, `^\{"time":"20.*","id":"slow","state":"concluded"\}$`, last)
	assert.Equal(t, exit.OK, <-done)
}

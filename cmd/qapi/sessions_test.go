package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/tmuxtest"
	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// Run under the name qapi, this test is the program qapi.
func TestMain(m *testing.M) {
	if tmuxtest.Program() == "qapi" {
		main()
		return
	}
	os.Exit(m.Run())
}

// The hardware of a machine in the sessions: a disk on USB, which can be unplugged without a guest.
var hardware = []qapi.DeviceAddArgs{
	{Driver: "qemu-xhci", ID: new("xhci")},
	{Driver: "usb-storage", ID: new("disk0"), Bus: new("xhci.0"), Props: map[string]any{"drive": "null0"}},
	{Driver: "virtio-blk-pci", ID: new("vd0"), Props: map[string]any{"drive": "top0"}},
}

// addHardware adds the hardware, with the block nodes that it needs: null0, and top0 on base0.
func addHardware(t *testing.T, c *qapi.Client) {
	t.Helper()
	ctx := t.Context()
	null := func(name string) qapi.BlockdevOptions {
		return qapi.BlockdevOptions{NodeName: &name, Driver: qapi.BlockdevOptionsNullCo{Size: new(int64(1 << 30))}}
	}
	for _, name := range []string{"null0", "copy0", "source0", "base0"} {
		require.NoError(t, c.BlockdevAdd(ctx, null(name)))
	}
	require.NoError(t, c.BlockdevAdd(ctx, qapi.BlockdevOptions{NodeName: new("top0"), Driver: qapi.BlockdevOptionsRaw{File: qapi.Str("base0")}}))
	for _, d := range hardware {
		require.NoError(t, c.DeviceAdd(ctx, d))
	}
	require.NoError(t, c.BlockdevMirror(ctx, qapi.BlockdevMirrorArgs{
		JobID: new("m0"), Device: "source0", Target: "copy0", Sync: qapi.MirrorSyncModeFull, Speed: new(int64(4 << 20)),
	}))
}

// fake starts a fake machine at the socket web01 of a new folder.
func fake(t *testing.T) (vm *qmptest.Server, dir string) {
	t.Helper()
	vm = qmptest.Start(t)
	dir = folder(t)
	_, err := vm.Listen("unix:" + filepath.Join(dir, "web01"))
	require.NoError(t, err)
	conn, err := vm.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	addHardware(t, c)
	return vm, dir
}

// folder returns a new folder with a short path: t.TempDir can be too long for a socket.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "qapi")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// realName is the name of the real machine, which no other test uses.
func realName() string { return fmt.Sprintf("web01-%d", os.Getpid()) }

// startQEMU starts a real machine at the socket web01 of a new folder.
func startQEMU(t *testing.T, q qemutest.QEMU) (dir string) {
	t.Helper()
	dir = folder(t)
	socket := filepath.Join(dir, "web01")
	cmd := exec.Command(q.Path, "-name", realName(), "-S", "-nodefaults", "-display", "none", "-machine", "pc,accel=tcg", "-m", "64", "-smp", "2",
		"-device", "virtio-balloon-pci", "-qmp", "unix:"+socket+",server=on,wait=off")
	cmd.Stderr = os.Stderr
	qemutest.EndWithTest(cmd)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var c *qapi.Client
	require.NoError(t, poll.Until(t.Context(), func(ctx context.Context) (bool, error) {
		var err error
		c, err = qapi.Dial(ctx, "unix:"+socket)
		return err == nil, nil
	}))
	defer c.Close()
	addHardware(t, c)
	return dir
}

// sessions are the sessions of the tool's documentation, as a new user types them.
var sessions = []struct {
	name string
	opts tmuxtest.Options
	run  func(term *tmuxtest.Terminal, shot func(name string, masks ...tmuxtest.Mask))
	mask []tmuxtest.Mask
}{
	{"call", tmuxtest.Options{Width: 100}, func(term *tmuxtest.Terminal, _ func(string, ...tmuxtest.Mask)) {
		term.Run("qapi call ./web01 query-status --jq .status")
		term.Run("qapi call ./web01 blockdev-add driver=raw node-name=disk1 file.driver=null-co file.size=10M")
		term.Run("qapi call ./web01 blockdev-add driver=raw node-name=disk2 file.driver=flie; echo $?")
		term.Run("qapi call ./web01 blockdev-add driver=raw node-name=disk1 file.driver=null-co; echo $?")
		term.Run("qapi call ./web01 device_del id=disk0 --wait DEVICE_DELETED:device=disk0 --timeout 60s")
		term.Run("qapi call ./web01 set_password protocol=vnc password=x; echo $?")
	}, []tmuxtest.Mask{tmuxtest.Replace(`Duplicate node.*`, "Duplicate node…")}}, // each release has its own text
	{"job", tmuxtest.Options{}, func(term *tmuxtest.Terminal, shot func(string, ...tmuxtest.Mask)) {
		term.Type("qapi job wait ./web01 m0").Press("Enter").WaitFor(`m0  mirror ▕.*▏ .*left  running`)
		shot("job-bar", bar...)
		term.Press("C-c").Wait("goes on").Run("echo $?")
		term.Run("qapi job ls ./web01")
	}, []tmuxtest.Mask{tmuxtest.Percent}},
	{"job-narrow", tmuxtest.Options{Width: 40}, func(term *tmuxtest.Terminal, shot func(string, ...tmuxtest.Mask)) {
		term.Type("qapi job wait ./web01 m0").Press("Enter").WaitFor(`(?m)^m0  mirror ▕.*▏ .*left$`)
		shot("job-narrow-bar", bar...)
		term.Press("C-c").Wait("goes on").Run("echo $?")
	}, []tmuxtest.Mask{tmuxtest.Times}},
	{"graph", tmuxtest.Options{Height: 40}, func(term *tmuxtest.Terminal, _ func(string, ...tmuxtest.Mask)) {
		term.Run("qapi graph ./web01")
		term.Run("qapi graph ./web01 --mermaid | head -4")
		term.Run("qapi graph ./web01 --dot | tail -3")
	}, []tmuxtest.Mask{tmuxtest.Replace(`#block\d+`, "#blockN"), tmuxtest.Replace(`v\d+ -> v\d+`, "vN -> vN"), tmuxtest.Replace(`#35;block\d+`, "#35;blockN")}},
	{"top", tmuxtest.Options{Width: 100}, func(term *tmuxtest.Terminal, _ func(string, ...tmuxtest.Mask)) {
		term.Run("qapi top ./web01 --once --interval 200ms")
		term.Type("qapi top ./web01 --interval 200ms").Press("Enter").Wait("Ctrl-C ends it").WaitFor(`(?m)^vd0 `)
		term.Press("C-c").Run("echo $?") // the screen is the same as before
	}, []tmuxtest.Mask{tmuxtest.Replace(`\d+% of \d`, "CPU"), tmuxtest.Replace(`\d+\.\d [KMG]iB`, "SIZE"), tmuxtest.Replace(` {2,}`, "  ")}},
	{"narrow", tmuxtest.Options{Width: 40, Height: 64}, func(term *tmuxtest.Terminal, _ func(string, ...tmuxtest.Mask)) {
		term.Run("qapi describe eject")
		term.Run("qapi graph ./web01")
		term.Run("qapi top ./web01 --once --interval 200ms")
	}, []tmuxtest.Mask{tmuxtest.Replace(`#block\d+`, "#blockN"), tmuxtest.Replace(`\d+% of \d`, "CPU"), tmuxtest.Replace(`( {2,})(CPU|0 B/s)`, "  $2"), tmuxtest.Replace(` {2,}(CPU|READ|WRITE)`, "  $1")}},
	// Without a terminal there are no colours, no bars, and no lines that are cut.
	{"pipe", tmuxtest.Options{Height: 40}, func(term *tmuxtest.Terminal, _ func(string, ...tmuxtest.Mask)) {
		term.Run("qapi job wait ./web01 m0 --timeout 500ms 2>&1 | cat -v")
		term.Run("qapi graph ./web01 | grep -c $(printf '\\033')")
		term.Run("qapi describe job-pause | cat -v")
		term.Run("qapi top ./web01 --once --interval 200ms | cat -v | cut -c 1-20")
	}, []tmuxtest.Mask{tmuxtest.Replace(` {2,}`, "  ")}},
}

// bar masks out how far a job is.
var bar = []tmuxtest.Mask{
	tmuxtest.Replace(`▕.*▏`, "▕███▏"), tmuxtest.Sizes, tmuxtest.Times, tmuxtest.Replace(` +\d+\.\d%`, "  PERCENT"),
}

func runSessions(t *testing.T, prefix string, start func(t *testing.T) (dir string)) {
	for _, s := range short.Ends(sessions) {
		t.Run(s.name, func(t *testing.T) {
			opts := s.opts
			opts.Dir = start(t)
			term := tmuxtest.Shell(t, opts, "qapi")
			s.run(term, func(name string, masks ...tmuxtest.Mask) { term.Golden(prefix+name, masks...) })
			term.Golden(prefix+s.name, s.mask...)
		})
	}
}

func TestSessions(t *testing.T) {
	runSessions(t, "fake-", func(t *testing.T) string { _, dir := fake(t); return dir })
}

func TestQEMUSessions(t *testing.T) {
	all := qemutest.QEMUs(t)
	for _, q := range slices.Compact([]qemutest.QEMU{all[0], all[len(all)-1]}) { // the oldest and the newest are enough
		t.Run(q.Release, func(t *testing.T) {
			runSessions(t, "real-", func(t *testing.T) string { return startQEMU(t, q) })
		})
	}
}

// The machines of this host are found by their names.
func TestQEMUFound(t *testing.T) {
	for _, q := range qemutest.QEMUs(t)[:1] {
		dir := startQEMU(t, q)
		term := tmuxtest.Shell(t, tmuxtest.Options{Width: 150, Dir: dir}, "qapi")
		name := realName()
		term.Run("qapi ps | grep -e NAME -e " + name)
		term.Run("qapi call " + name + " query-status --jq .status")
		term.Run("qapi call @web01-*[0-9] query-status --jq .status | grep " + name)
		term.Run("qapi ps | grep -c nobody")
		term.Golden("found", tmuxtest.Replace(name, "web01"), tmuxtest.Replace(dir, "DIR"),
			tmuxtest.Replace(`(?m)^\d+ +web01 +\S+`, "PID  web01  VERSION"), tmuxtest.Replace(` {2,}`, "  "))
	}
}

// With NO_COLOR there are no colours, and with a terminal that has them there are.
func TestNoColour(t *testing.T) {
	_, dir := fake(t)
	for env, coloured := range map[string]bool{"NO_COLOR=1": false, "NO_COLOR=": true, "TERM=dumb": false} {
		if testing.Short() && env == "TERM=dumb" {
			continue
		}
		term := tmuxtest.Shell(t, tmuxtest.Options{Dir: dir, Height: 60, Env: []string{}}, "qapi")
		term.Run(env + " qapi graph ./web01").Run(env + " qapi describe eject").Run(env + " qapi top ./web01 --once --interval 200ms")
		assert.Equal(t, coloured, strings.Contains(term.Colours(), "‹"), "%s: %s", env, term.Colours())
		assert.Contains(t, term.Screen(), "device vd0")
	}
}

// A dump of the guest's memory also has a bar, although it is not a job.
func TestDumpBar(t *testing.T) {
	vm, dir := fake(t)
	vm.Reply("dump-guest-memory", struct{}{})
	vm.Reply("query-dump", qapi.DumpQueryResult{Status: qapi.DumpStatusActive, Completed: 1 << 28, Total: 1 << 30})
	term := tmuxtest.Shell(t, tmuxtest.Options{Dir: dir, Width: 120}, "qapi")
	term.Type("qapi call ./web01 dump-guest-memory paging=false protocol=file:/vm/core detach=on --wait DUMP_COMPLETED")
	term.Press("Enter").WaitFor(`(?m)^dump ▕██████████ +▏ 25.0%  active$`)
	vm.EmitNamed("DUMP_COMPLETED", map[string]any{"result": qapi.DumpQueryResult{Status: qapi.DumpStatusCompleted, Completed: 1 << 30, Total: 1 << 30}})
	term.Wait("DUMP_COMPLETED\"").Run("echo $?")
	assert.NotContains(t, term.Screen(), "▕", "the bar is gone")
	assert.True(t, strings.HasSuffix(term.Screen(), "\n0\n$"), term.Screen())
}

// hostile is what a guest, or the author of an image, could send to control a terminal.
const hostile = "\x1b]0;owned\x07\x1b[2J\x1b[H\x1b[31mred\u009b31m\rhidden\x1b[5;5H\x0e\b\u202eabc"

// Text from a guest or an image does not change the terminal.
func TestHostile(t *testing.T) {
	vm, dir := fake(t)
	vm.Reply("human-monitor-command", "first line\r\n"+hostile+"\r\n")
	vm.Reply("query-jobs", []qapi.JobInfo{{ID: hostile, Type: qapi.JobTypeBackup, Status: "running", Error: new(hostile), TotalProgress: 100, CurrentProgress: 10}})
	vm.Fail("stop", "GenericError", hostile)
	agent := qmptest.StartAgent(t)
	_, err := agent.Listen("unix:" + filepath.Join(dir, "agent"))
	require.NoError(t, err)
	agent.Reply("guest-exec", map[string]any{"pid": 7})
	output := base64.StdEncoding.EncodeToString([]byte("from the guest\n" + hostile + "\n"))
	agent.Reply("guest-exec-status", map[string]any{"exited": true, "exitcode": 0, "out-data": output, "err-data": output})
	conn, err := vm.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	defer c.Close()
	require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: new("evil0"), Driver: qapi.BlockdevOptionsFile{Filename: "/vm/" + hostile}}))

	for _, line := range []string{
		"qapi graph ./web01", "qapi graph ./web01 --dot", "qapi graph ./web01 --mermaid", "qapi graph ./web01 --json",
		"qapi call ./web01 query-named-block-nodes", "qapi hmp ./web01 info block", "qapi job ls ./web01", "qapi call ./web01 stop",
		"qapi agent ./agent run cat /etc/motd",
	} {
		undisturbed(t, dir, line)
	}
}

// undisturbed runs a line that shows hostile text, and checks that the terminal has not changed.
func undisturbed(t *testing.T, dir, line string) {
	t.Helper()
	term := tmuxtest.Shell(t, tmuxtest.Options{Width: 120, Height: 60, Dir: dir, Env: []string{"NO_COLOR=1"}}, "qapi")
	title := term.Title()
	term.Run("echo before").Run(line).Run("echo after")
	screen := term.History()
	assert.True(t, strings.HasPrefix(screen, "$ echo before\n"+"before\n$ qapi "), "%s: what was there before stays: %s", line, screen)
	assert.True(t, strings.HasSuffix(screen, "\n$ echo after\n"+"after\n$"), "%s: %s", line, screen)
	assert.Contains(t, screen, "hidden", line)
	assert.Equal(t, title, term.Title(), line)
	assert.NotContains(t, term.Colours(), "‹", line)
}

// An image on a real host can have any name.
func TestQEMUHostile(t *testing.T) {
	dir := startQEMU(t, qemutest.QEMUs(t)[0])
	image := strings.ReplaceAll(hostile, "/", "")
	require.NoError(t, os.WriteFile(filepath.Join(dir, image), make([]byte, 1<<20), 0o600))
	c, err := qapi.Dial(t.Context(), "unix:"+filepath.Join(dir, "web01"))
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: new("evil0"), Driver: qapi.BlockdevOptionsFile{Filename: filepath.Join(dir, image)}}))
	c.Close()
	for _, line := range []string{"qapi graph ./web01", "qapi call ./web01 query-named-block-nodes", "qapi hmp ./web01 info block -n"} {
		undisturbed(t, dir, line)
	}
}

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/tmuxtest"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

var clock = tmuxtest.Replace(`\d\d:\d\d:\d\d`, "HH:MM:SS")

// eventsFirst moves events that came immediately after a reply before it. A server sends some events
// after the reply, and it depends on timing whether the shell has shown the reply before them. Use it
// after clock.
var eventsFirst = tmuxtest.Replace(`(?m)^\{\}\n((?:HH:MM:SS [^\n]*\n)+)`, "$1{}\n")

// openShell starts qapi shell in a terminal, with the fake.
func openShell(t *testing.T, opts tmuxtest.Options) (*qmptest.Server, *tmuxtest.Terminal) {
	srv := qmptest.Start(t)
	opts.Dir = t.TempDir()
	_, err := srv.Listen("unix:" + filepath.Join(opts.Dir, "vm1"))
	require.NoError(t, err)
	term := tmuxtest.Shell(t, opts, "qapi")
	term.Type("qapi shell ./vm1").Press("Enter").Wait("vm1>")
	return srv, term
}

// The first session of a new user: looks around, makes a mistake, adds a disk, sees an event, ends.
func TestShell(t *testing.T) {
	_, term := openShell(t, tmuxtest.Options{})
	term.Type(":help").Press("Enter").Wait("Ctrl-C")
	term.Golden("shell-help")
	term.Press("C-l").Type("query-sta").Press("Tab").Type("u").Press("Tab", "Enter").Wait(`"running"`)
	term.Type("blockdev-add driver=nul").Press("Tab", "Tab").Wait("null-aio")
	term.Type("co").Press("Tab").Type("node-").Press("Tab").Type("disk1 siz").Press("Tab").Type("10M").Press("Enter").Wait("{}")
	term.Type("device_add driver=virtio-blk-p").Press("Tab").Type(" id=vd1 driv").Press("Tab").Type("d").Press("Tab", "Enter")
	term.WaitFor(`drive=disk1 *\n\{\}`)
	term.Type("device_del id=v").Press("Tab", "Enter").Wait(`DEVICE_DELETED {"device": "vd1"`)
	term.Type("device_del id=nosuch").Press("Enter").Wait("DeviceNotFound")
	term.Type("evect").Press("Enter").Wait("did you mean")
	term.Golden("shell-first", clock, eventsFirst)
	term.Press("C-l").Type(":desc").Press("Tab").Type("job-pau").Press("Tab", "Enter").Wait("qapi call ADDR job-pause id=ID")
	term.Press("C-d").WaitFor(`(?m)^\$$`)
	term.Run("echo $?")
	assert.True(t, strings.HasSuffix(term.Screen(), "\n1\n$"), "the exit code is that of the last failure: %s", term.Screen())
}

// Events come above the line that is being typed, also on a narrow terminal, which changes its size.
func TestShellNarrow(t *testing.T) {
	srv, term := openShell(t, tmuxtest.Options{Width: 40, Height: 16})
	term.Type("blockdev-add driver=qcow2 node-name=disk1 file.driver=file file.filename=/vm/disk1.qcow2").Wait("disk1.qcow2")
	term.Press("Home").Press("Right", "Right")
	srv.EmitNamed("RESUME", nil)
	term.Wait("RESUME")
	srv.EmitNamed("BLOCK_IO_ERROR", map[string]any{
		"device": "d", "qom-path": "/machine/peripheral/d", "operation": "write", "action": "stop", "reason": "No space left on device", "nospace": true,
	})
	term.Wait("No space")
	term.Golden("shell-narrow", clock)
	column, line := term.Cursor()
	assert.Equal(t, 9, column)
	assert.Contains(t, strings.Split(term.Screen(), "\n")[line], "./vm1> blockdev-add")
	term.Resize(60, 16)
	srv.EmitNamed("STOP", nil)
	term.Wait("STOP").Wait("file.filename=/vm/disk1.qcow2")
	term.Press("C-c").Type("query-status").Press("Enter").Wait(`"running"`)
}

// While a thousand events come each second, nothing that is typed is lost or mixed up, and no
// event is lost.
func TestShellFlood(t *testing.T) {
	srv, term := openShell(t, tmuxtest.Options{Width: 120})
	events := 3000
	if testing.Short() {
		events = 600
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for i := range events {
			if i%10 == 0 {
				<-tick.C
			}
			srv.EmitNamed("RTC_CHANGE", map[string]any{"offset": i, "qom-path": "/machine/rtc"})
		}
	}()
	line := "block_resize node-name=nothing size=10M"
	for _, c := range line {
		term.Type(string(c))
	}
	term.Press("Enter")
	<-done
	term.Wait(fmt.Sprintf(`"offset": %d,`, events-1)).WaitFor(`(?m)^\./vm1>$`)
	history := term.History()
	assert.Contains(t, history, "\n./vm1> "+line+"\n")
	assert.Contains(t, history, "\nGenericError: Cannot find device='' nor node-name='nothing'\n")
	var offsets []int
	for _, m := range regexp.MustCompile(`(?m)^[0-9:]{8} RTC_CHANGE \{"offset": (\d+), "qom-path": "/machine/rtc"\}$`).FindAllStringSubmatch(history, -1) {
		n, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		offsets = append(offsets, n)
	}
	assert.Len(t, offsets, events)
	assert.True(t, slices.IsSorted(offsets))
}

// Ctrl-C interrupts a command that waits, and clears a line; the shell continues.
func TestShellInterrupt(t *testing.T) {
	srv, term := openShell(t, tmuxtest.Options{})
	term.Type(":wait NEVER").Press("Enter").Type("typed ahead")
	for !strings.Contains(term.Screen(), "interrupted") { // the command may not have begun
		term.Press("C-c")
	}
	term.Type("nonsense").Press("C-c").Type("query-name").Press("Enter").Wait("{}")
	term.Type("set_password protocol=vnc password=-").Press("Enter").Wait("password:")
	term.Type("hunter1").Press("C-c").WaitFor(`(?s)interrupted.*interrupted`)
	term.Golden("shell-interrupt")
	term.Type(":wait STOP").Press("Enter")
	srv.EmitNamed("STOP", nil)
	term.WaitFor(`(?m)\d STOP$`).WaitFor(`(?m)^\./vm1>\z`)
	assert.NotContains(t, term.History(), "hunter")
	term.Press("C-d").WaitFor(`(?m)^\$$`)
	term.Run("stty -a | grep -o ' echo '")
	assert.Contains(t, term.Screen(), "\n echo\n", "the terminal is as before")
}

// Text from a guest or a server does not change the terminal.
func TestShellHostile(t *testing.T) {
	srv, term := openShell(t, tmuxtest.Options{})
	title := term.Title()
	evil := "\x1b]0;evil\x07\x1b[2J\u009b31m\u202e"
	srv.Reply("query-name", map[string]any{"name": evil})
	srv.Fail("query-uuid", qmp.ClassGenericError, evil)
	srv.Reply("human-monitor-command", "one\r\n"+evil+"\r\n")
	srv.EmitNamed("DEVICE_DELETED", map[string]any{"path": evil})
	term.Wait("DEVICE_DELETED")
	term.Type("query-name").Press("Enter").Wait("evil")
	term.Type("query-uuid").Press("Enter").Wait("GenericError")
	term.Type("human-monitor-command command-line=info").Press("Enter").WaitFor(`(?m)^one$`)
	term.Paste("eject id='a\tb'\n").Wait("DeviceNotFound")
	term.Golden("shell-hostile", clock)
	assert.Equal(t, title, term.Title())
}

// Colours are used only on terminals that have them, and unless the user turns them off.
func TestShellColours(t *testing.T) {
	_, term := openShell(t, tmuxtest.Options{})
	term.Type("device_del id=x").Press("Enter").Wait("DeviceNotFound")
	assert.Contains(t, term.Colours(), "‹31›DeviceNotFound")
	_, term = openShell(t, tmuxtest.Options{Env: []string{"NO_COLOR=1"}})
	term.Type("device_del id=x").Press("Enter").Wait("DeviceNotFound")
	term.Type("stop").Press("Enter").Wait("{}")
	assert.NotContains(t, term.Colours(), "‹")
}

// Up brings back lines of earlier sessions, except those with secrets.
func TestShellHistory(t *testing.T) {
	state := t.TempDir()
	_, term := openShell(t, tmuxtest.Options{Env: []string{"XDG_STATE_HOME=" + state}})
	term.Type("query-name").Press("Enter").Wait("{}")
	term.Type("object-add qom-type=secret id=s0 data=hunter0").Press("Enter").WaitFor(`hunter0\n\{\}`)
	term.Type("object-ad qom-type=secret id=s0 data=hunter1").Press("Enter").Wait("CommandNotFound")
	term.Type(`{"execute":"object-add","arguments":{"qom-type":"secret","id":"s1","data":"hunter2"}}`).Press("Enter").Wait(`"return"`)
	term.Type("set_password protocol=vnc password='hunter3").Press("Enter").Wait("a quote does not end")
	term.Type("object-add qom-type=secret id=s3 data=-").Press("Enter").Wait("data:").Type("hunter4").Press("Enter").WaitFor(`data: *\n\{\}`)
	term.Press("Up").Wait("\n./vm1> object-add qom-type=secret id=s3 data=-").Press("Up").WaitFor(`(?m)^\./vm1> query-name\z`)
	term.Press("C-c", "C-d").WaitFor(`(?m)^\$$`)
	path := filepath.Join(state, "qapi", "history")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "query-name\nobject-add qom-type=secret id=s3 data=-\n", string(text))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	term.Type("qapi shell ./vm1").Press("Enter").WaitFor(`(?m)^\./vm1>\z`).Press("Up").Press("Up").WaitFor(`(?m)^\./vm1> query-name\z`)
}

// When the server ends, the shell ends.
func TestShellEnd(t *testing.T) {
	_, term := openShell(t, tmuxtest.Options{})
	term.Type("quit").Press("Enter").Wait("QEMU has ended").WaitFor(`(?m)^\$$`)
	srv, term := openShell(t, tmuxtest.Options{})
	term.Type("half a line").Wait("half a line")
	srv.Cut()
	term.Wait("connection closed").WaitFor(`(?m)^\$$`)
	term.Run("echo $?")
	assert.True(t, strings.HasSuffix(term.Screen(), "\n3\n$"), term.Screen())
}

// The sessions of a new user on the oldest and the newest QEMU.
func TestQEMUShell(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		if q.Release == "7.2" || q.Release == "10.0" {
			t.Skip("the oldest and the newest are enough")
		}
		dir := t.TempDir()
		p, err := qmp.Launch(t.Context(), exec.Command(q.Path, "-S", "-nodefaults", "-display", "none", "-machine", "q35",
			"-blockdev", "null-co,node-name=disk0,read-zeroes=on", "-device", "pcie-root-port,id=port0"), qmp.AtSocket("unix:"+filepath.Join(dir, "vm1")))
		require.NoError(t, err)
		defer p.Close()
		require.NoError(t, p.Conn.Close())
		term := tmuxtest.Shell(t, tmuxtest.Options{Dir: dir, Height: 40}, "qapi")
		term.Type("qapi shell ./vm1").Press("Enter").Wait("vm1>")
		enter := func(line, want string) { term.Type(line).Press("Enter").WaitFor(want) }
		enter("query-status", `"prelaunch"`)
		enter("cont", `RESUME\n\{\}`)
		term.Type("device_add driver=virtio-blk-pci drive=d").Press("Tab").Type("bus=p").Press("Tab")
		enter("id=vd0", `id=vd0\n\{\}`)
		enter(":transaction", `transaction>`)
		enter("block-dirty-bitmap-add node=disk0 name=b0", `name=b0`)
		enter("block-dirty-bitmap-add node=disk0 name=b1 granularity=64K", `64K`)
		enter(":end", `:end\n\{\}`)
		term.Type("block-dirty-bitmap-remove node=disk0 name=b").Press("Tab", "Tab").Wait("b0  b1")
		enter("1", `name=b1\n\{\}`)
		enter("blockdev-add driver=nul-co", `did you mean null-co`)
		enter("stop", `STOP\n\{\}`)
		enter(`human-monitor-command command-line="info status"`, `VM status`)
		enter(`{"execute": "qom-get", "arguments": {"path": "/machine", "property": "type"}, "id": 1}`, `"id": 1`)
		term.Golden("shell-qemu-"+q.Release, clock)
		enter("quit", `QEMU has ended`)
	})
}

// A QEMU that is started for the session ends with it.
func TestQEMUShellStarted(t *testing.T) {
	qemu := qemutest.QEMUs(t)
	path := qemu[len(qemu)-1].Path
	term := tmuxtest.Shell(t, tmuxtest.Options{}, "qapi")
	term.Type("qapi shell -- " + path + " -S -nodefaults -display none -machine none -name started").Press("Enter").Wait("qemu>")
	term.Type("query-name").Press("Enter").Wait(`{"name": "started"}`)
	term.Press("C-d").WaitFor(`(?m)^\$$`)
	term.Run("pgrep -f 'name [s]tarted' || echo gone")
	assert.Contains(t, term.Screen(), "\ngone\n")
	term.Run("echo query-status | qapi shell -- " + path + " -S -nodefaults -display none -machine none | cat; qapi shell -- " + path + " -nosuch; echo $?")
	assert.Contains(t, term.Screen(), `{"return":{"status":"prelaunch",`)
	assert.Contains(t, term.Screen(), "exit status 1: qemu-system-x86_64: -nosuch")
	assert.True(t, strings.HasSuffix(term.Screen(), "\n3\n$"), term.Screen())
}

package record_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmplog"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

// secret is what must not be seen: no word of QEMU's, and a number where one is needed.
const (
	hunter       = "hunter2"
	secretNumber = int64(7276766767)
	secretURL    = "https://" + hunter + ":" + hunter + "@h/x?sig=" + hunter
	secretName   = `json:{"driver": "https", "url": "` + secretURL + `", "cookie": "` + hunter + `"}`
)

type object = map[string]any

// A watched connection is logged with payloads, and recorded.
type watched struct {
	*qmp.Conn
	log   sharedBuffer
	tape  bytes.Buffer
	close func() error
}

// A sharedBuffer may be read while a worker of the connection logs its end.
type sharedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *sharedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *sharedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func watch(t *testing.T, conn net.Conn, connect func(w *watched, recorded net.Conn, log qmp.Option) (*qmp.Conn, error)) *watched {
	t.Helper()
	w := &watched{}
	recorded := record.Conn(conn, &w.tape)
	w.close = recorded.Close
	log := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	w.Conn, err = connect(w, recorded, qmplog.WithLogger(log, qmplog.Payloads()))
	require.NoError(t, err)
	return w
}

// end ends the session and looks for the secret in what was written down.
func (w *watched) end(t *testing.T) {
	t.Helper()
	require.NoError(t, w.Close())
	require.NoError(t, w.close())
	for name, text := range map[string]string{"log": w.log.String(), "recording": w.tape.String()} {
		for line := range strings.Lines(text) {
			for _, form := range []string{hunter, base64.StdEncoding.EncodeToString([]byte(hunter)), fmt.Sprint(secretNumber)} {
				assert.NotContains(t, line, form, name)
			}
		}
		assert.Contains(t, text, "[redacted]", name)
	}
	_, err := record.Load(&w.tape)
	require.NoError(t, err)
}

// say executes a command that may fail, and returns its result or error.
func (w *watched) say(t *testing.T, command string, args object) string {
	t.Helper()
	var result json.RawMessage
	err := w.Execute(t.Context(), command, args, &result)
	if err != nil {
		t.Logf("%s: %v", command, err)
		return err.Error()
	}
	return string(result)
}

// TestQEMUSecrets sends secrets in every possible way, and checks that QEMU repeats them
// where the table says so.
func TestQEMUSecrets(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		dir := t.TempDir()
		socket, err := os.MkdirTemp("", "vnc")
		require.NoError(t, err)
		defer os.RemoveAll(socket)
		w := watch(t, q.Start(t, "-qmp", "-vnc", "unix:"+socket+"/s,password=on"),
			func(_ *watched, recorded net.Conn, log qmp.Option) (*qmp.Conn, error) {
				return qmp.NewConn(t.Context(), recorded, log)
			})
		c := qapi.NewClient(w.Conn)
		version, err := c.QueryVersion(t.Context())
		require.NoError(t, err)
		is := func(major int64) bool { return version.QEMU.Major >= major }

		// Secret objects, and what shows them.
		if is(6) {
			require.NoError(t, c.ObjectAdd(t.Context(), qapi.ObjectOptions{ID: "s0", QOMType: qapi.ObjectOptionsSecret{Data: new(hunter)}}))
		} else {
			w.say(t, "object-add", object{"qom-type": "secret", "id": "s0", "props": object{"data": hunter}})
		}
		got, err := c.QOMGet(t.Context(), qapi.QOMGetArgs{Path: "/objects/s0", Property: "data"})
		require.NoError(t, err)
		assert.JSONEq(t, `"`+hunter+`"`, string(got))
		w.say(t, "qom-set", object{"path": "/objects/s0", "property": "data", "value": hunter})
		w.say(t, "object-add", object{"qom-type": "secret", "id": "s0", "data": hunter})
		list := w.say(t, "qom-list-get", object{"paths": []string{"/objects/s0"}})
		assert.Equal(t, is(11), strings.Contains(list, hunter), "qom-list-get")

		// The human monitor.
		hmp := func(line string) string { return w.say(t, "human-monitor-command", object{"command-line": line}) }
		assert.Contains(t, hmp("qom-get /objects/s0 data"), hunter)
		hmp("object_add secret,id=s1,data=" + hunter)
		hmp("change vnc password " + hunter)
		hmp("set_password vnc " + hunter)
		assert.Contains(t, hmp("set_pasword_"+hunter), hunter)
		assert.Contains(t, hmp("info version"), fmt.Sprint(version.QEMU.Major))

		// Passwords.
		w.say(t, "change-vnc-password", object{"password": hunter})
		w.say(t, "set_password", object{"protocol": "vnc", "password": hunter})
		w.say(t, "change", object{"device": "vnc", "target": "password", "arg": hunter})
		w.say(t, "block_passwd", object{"device": "d0", "password": hunter})
		w.say(t, "sev-inject-launch-secret", object{"packet-header": "h", "secret": hunter})
		w.say(t, "device_add", object{"driver": "no-such-device", "password": hunter})

		// Images.
		quoted := w.say(t, "blockdev-change-medium", object{"id": "d0", "filename": secretName})
		quoted += w.say(t, "drive-mirror", object{"device": "d0", "target": secretName, "sync": "full"})
		w.say(t, "blockdev-add", object{"driver": "https", "node-name": "h", "url": secretURL, "cookie": hunter})
		w.say(t, "blockdev-add", object{"driver": "nbd", "node-name": "n", "server": object{"type": "unix", "path": "/none"}, "export": secretURL})
		file := filepath.Join(dir, "https:", hunter+"@h", "disk")
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, make([]byte, 1<<20), 0o600))
		name := dir + "/https://" + hunter + "@h/disk" // the same file
		require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: new("f"), Driver: qapi.BlockdevOptionsFile{Filename: name}}))
		nodes, err := c.QueryNamedBlockNodes(t.Context(), qapi.QueryNamedBlockNodesArgs{})
		require.NoError(t, err)
		require.Len(t, nodes, 1)
		assert.Equal(t, name, nodes[0].File)
		for _, text := range []string{fmt.Sprint(nodes), fmt.Sprintf("%+v", nodes), fmt.Sprintf("%#v", nodes), qapi.Text(nodes)} {
			assert.NotContains(t, text, hunter)
		}
		quoted += w.say(t, "blockdev-snapshot-sync", object{"node-name": "f", "snapshot-file": secretName, "format": "qcow2"})
		quoted += w.say(t, "block-stream", object{"job-id": "j", "device": "f", "base": secretName})
		quoted += w.say(t, "block-commit", object{"job-id": "j", "device": "f", "top": secretName})
		quoted += w.say(t, "drive-backup", object{"job-id": "j", "device": "f", "target": secretName, "sync": "full", "mode": "existing"})
		assert.Contains(t, quoted, hunter)
		err = c.BlockStream(t.Context(), qapi.BlockStreamArgs{JobID: new("j"), Device: "f", Base: new(secretName)})
		require.ErrorContains(t, err, hunter, "the caller gets QEMU's whole text")
		assert.NotContains(t, qapi.Text(err), hunter)

		// Programs.
		w.say(t, "migrate", object{"uri": "exec:exit 1 # " + hunter})
		w.say(t, "query-migrate", nil)
		w.say(t, "migrate_cancel", nil)
		w.say(t, "migrate", object{"uri": "exce:" + secretURL})
		w.say(t, "migrate-incoming", object{"uri": "exec:" + hunter})
		w.say(t, "migrate", object{"channels": []object{{"channel-type": "main", "addr": object{"transport": "exec", "args": []string{"/none", hunter}}}}})
		w.say(t, "migrate_cancel", nil)
		w.say(t, "migrate-set-parameters", object{"cpr-exec-command": []string{"qemu", hunter}})
		parameters := w.say(t, "query-migrate-parameters", nil)
		assert.Equal(t, is(11), strings.Contains(parameters, hunter), "query-migrate-parameters")

		// The network, and what is typed.
		w.say(t, "netdev_add", object{"type": "user", "id": "u", "guestfwd": []object{{"str": "tcp:10.0.2.100:80-cmd:" + hunter}}})
		w.say(t, "netdev_add", object{"type": "l2tpv3", "id": "l", "src": "127.0.0.1", "dst": "127.0.0.1", "txsession": 1,
			"txcookie": secretNumber, "rxcookie": secretNumber, "cookie64": true})
		w.say(t, "send-key", object{"keys": []object{{"type": "qcode", "data": hunter}}})
		w.say(t, "input-send-event", object{"events": []object{{"type": "key", "data": object{"down": true, "key": object{"type": "qcode", "data": hunter}}}}})
		require.NoError(t, w.Execute(t.Context(), "chardev-add", object{"id": "c", "backend": object{"type": "ringbuf", "data": object{}}}, nil))
		w.say(t, "ringbuf-write", object{"device": "c", "data": hunter})
		assert.Contains(t, w.say(t, "ringbuf-read", object{"device": "c", "size": 100}), hunter)
		w.end(t)
	})
}

// A QEMU that refuses an option quotes it.
func TestQEMURefusesOptions(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, args := range [][]string{
			{"-object", "secret,id=s0,data=" + hunter + ",format=no"},
			{"-object", `{"qom-type":"secret","id":"s0","data":"` + hunter + `","format":"no"}`},
			{"-drive", "if=none,file=" + secretURL},
			{"-drive", "if=none,driver=nbd,file.cookie=" + hunter},
			{"-spice", "password=" + hunter + ",no=1"},
			{"-vnc", ":0,password=" + hunter},
			{"-fw_cfg", "name=opt/x,string=" + hunter + ",no=1"},
		} {
			cmd := exec.CommandContext(t.Context(), q.Path, append([]string{"-machine", "none", "-display", "none", "-S", "-qmp", "stdio"}, args...)...)
			p, err := qmp.Start(t.Context(), cmd)
			if !assert.Error(t, err, "%q: QEMU accepts it", args) {
				p.Conn.Close()
				continue
			}
			require.ErrorContains(t, err, hunter)
			assert.NotContains(t, qapi.Text(err), hunter)
			assert.Contains(t, qapi.Text(err), args[0])
		}
	})
}

func TestQEMUAgentSecrets(t *testing.T) {
	qemutest.EachAgent(t, func(t *testing.T, a qemutest.Agent) {
		socket, err := net.Dial("unix", a.Start(t))
		require.NoError(t, err)
		w := watch(t, socket, func(_ *watched, recorded net.Conn, log qmp.Option) (*qmp.Conn, error) {
			return qmp.NewAgentConn(t.Context(), recorded, log)
		})
		c := qga.NewClient(w.Conn)
		command := qga.Command{Path: "/bin/sh", Args: []string{"-c", "cat; echo $0 $A >&2", hunter}, Env: []string{"A=" + hunter}, Stdin: []byte(hunter)}
		r, err := qga.Run(t.Context(), c, command)
		require.NoError(t, err)
		assert.Equal(t, hunter, string(r.Stdout))
		assert.Equal(t, hunter+" "+hunter+"\n", string(r.Stderr))
		_, err = qga.Run(t.Context(), c, qga.Command{Path: "/none", Args: []string{hunter}})
		require.Error(t, err)

		path := filepath.Join(t.TempDir(), "file")
		handle, err := c.GuestFileOpen(t.Context(), qga.GuestFileOpenArgs{Path: path, Mode: new("w+")})
		require.NoError(t, err)
		_, err = c.GuestFileWrite(t.Context(), qga.GuestFileWriteArgs{Handle: handle, BufB64: []byte(hunter)})
		require.NoError(t, err)
		w.say(t, "guest-file-seek", object{"handle": handle, "offset": 0, "whence": "set"})
		read, err := c.GuestFileRead(t.Context(), qga.GuestFileReadArgs{Handle: handle})
		require.NoError(t, err)
		assert.Equal(t, hunter, string(read.BufB64))
		require.NoError(t, c.GuestFileClose(t.Context(), qga.GuestFileCloseArgs{Handle: handle}))

		password := base64.StdEncoding.EncodeToString([]byte(hunter))
		w.say(t, "guest-set-user-password", object{"username": "no such user", "password": password, "crypted": false})
		w.say(t, "guest-ssh-add-authorized-keys", object{"username": "no such user", "keys": []string{"ssh-rsa " + hunter}})
		w.say(t, "guest-ssh-remove-authorized-keys", object{"username": "no such user", "keys": []string{"ssh-rsa " + hunter}})
		w.end(t)
	})
}

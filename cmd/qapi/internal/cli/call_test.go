package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func TestCall(t *testing.T) {
	w := newWorld(t)
	for _, vm := range []string{"web01", "web02"} {
		code, _, errs := w.run("", "call", vm, "cont")
		require.Equal(t, exit.OK, code, errs)
	}
	big := filepath.Join(w.dir, "big")
	require.NoError(t, os.WriteFile(big, []byte("9007199254740993\n"), 0o600))
	for _, c := range []struct{ args, stdin, want string }{
		{"call web01 query-status", "", `{"running":true,"status":"running"}`},
		{"call PID:2 query-status", "", `{"running":true,"singlestep":false,"status":"running"}`},
		{"call " + strings.TrimPrefix(w.found[0].Address, "unix:") + " query-status --jq .status", "", "running"},
		{"call web01 query-status --jq .running", "", "true"},
		{"call web01 query-status --jq empty", "", ""},
		{"call web01 stop", "", ""}, // an empty result is not printed
		{"call web01 -- cont -", "{}", ""},
		{"call web01 stop --wait STOP", "", `{"event":"STOP"}`},
		{"call @*1 cont --wait RESUME", "", `{"vm":"web01","return":{}}` + "\n" + `{"vm":"web01","event":"RESUME"}`},
		{"call @*1 query-status --jq .status", "", `{"vm":"web01","return":"running"}`},
		{"call web01 blockdev-add driver=null-co node-name=big size=@" + big, "", ""},
		{"call web01 query-named-block-nodes --jq .[0].image.\"virtual-size\"", "", "9007199254740993"},
		{"call web01 migrate-pause --oob --dry-run", "", `{"exec-oob":"migrate-pause"}`},
		{"call none set_password protocol=vnc password=- --dry-run", "geheim", `{"execute":"set_password","arguments":{"protocol":"vnc","password":"[redacted]"}}`},
		{"call none device_add driver=e1000 bootindex=1 --dry-run -r 7.2", "", `{"execute":"device_add","arguments":{"driver":"e1000","bootindex":1}}`},
	} {
		code, out, errs := w.run(c.stdin, words(c.args)...)
		assert.Equal(t, exit.OK, code, "%s: %s", c.args, errs)
		if strings.HasPrefix(c.want, `{"running"`) { // in any order
			assert.JSONEq(t, c.want, out, c.args)
		} else {
			assert.Equal(t, c.want, strings.TrimSpace(out), c.args)
		}
		assert.Empty(t, errs, c.args)
	}
}

// The tool waits for the event from before the command is sent. Other events, and events of
// the same name with other data, do not count.
func TestCallWait(t *testing.T) {
	w := newWorld(t)
	w.vm.Handle("device_del", func(ctx ctx, r *qmptest.Request) (any, error) {
		for _, id := range []string{"other", "disk0"} {
			w.vm.Emit(qapi.DeviceDeletedEvent{Device: new(id), Path: "/machine/peripheral/" + id})
		}
		return struct{}{}, nil // the reply comes after the events
	})
	code, out, errs := w.run("", words("call web01 device_del id=disk0 --wait DEVICE_DELETED:device=disk0,path=/machine/peripheral/disk0")...)
	require.Equal(t, exit.OK, code, errs)
	assert.Equal(t, `{"event":"DEVICE_DELETED","data":{"device":"disk0","path":"/machine/peripheral/disk0"}}`+"\n", out)
}

// Arguments are typed by the schema of the server's own release.
func TestCallByRelease(t *testing.T) {
	w := newWorld(t)
	code, _, errs := w.run("", words("call web02 object-add qom-type=iothread id=i props.poll-max-ns:=7")...)
	require.Equal(t, exit.OK, code, errs)
	code, _, errs = w.run("", words("call web01 object-add qom-type=iothread id=i props.poll-max-ns:=7")...)
	require.Equal(t, exit.Usage, code)
	assert.Contains(t, errs, "object-add does not have props")
}

func TestCallFile(t *testing.T) {
	w := newWorld(t)
	path := filepath.Join(w.dir, "f")
	require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	code, _, errs := w.run("", words("call web01 getfd fdname=mine --file mine="+path)...)
	require.Equal(t, exit.OK, code, errs)
	assert.Equal(t, 1, w.vm.Count("getfd"))
	// Another command can refer to the file by its name.
	code, _, errs = w.run("", words("call web01 closefd fdname=other --file other="+path)...)
	require.Equal(t, exit.OK, code, errs)
	assert.Equal(t, 2, w.vm.Count("getfd"))
}

// TestSecrets has secrets in each place where they may be given, and in each place where
// QEMU quotes them, and checks that they are not printed.
func TestSecrets(t *testing.T) {
	const secret = "Geheim123"
	w := newWorld(t)
	file := filepath.Join(w.dir, "pw")
	require.NoError(t, os.WriteFile(file, []byte(secret+"\n"), 0o600))
	w.vm.Handle("set_password", func(ctx ctx, r *qmptest.Request) (any, error) {
		assert.Contains(t, string(r.Arguments), secret)
		return nil, &qmpError{Class: "GenericError", Desc: "the password " + secret + " is too short"}
	})
	w.vm.Fail("human-monitor-command", "GenericError", "cannot do set_password vnc "+secret)
	for _, c := range []struct {
		args string
		code int
	}{
		{"call web01 set_password protocol=vnc password=" + secret, exit.Usage},
		{`call web01 set_password {"protocol":"vnc","password":"` + secret + `"}`, exit.Usage},
		{"call web01 set_password protocol=vnc password=@" + file, exit.Failed},
		{"call web01 set_password protocol=vnc password=-", exit.Failed},
		{"call @web01 set_password protocol=vnc password=-", exit.Failed},
		{"call web01 set_password protocol=vnc password=- --dry-run", exit.OK},
		{"call web01 blockdev-add driver=https url=https://me:" + secret + "@host/x", exit.Usage},
		{"hmp web01 set_password vnc " + secret, exit.Usage},
		{"hmp web01 change vnc password " + secret, exit.Usage},
		{"hmp web01 object_add secret,id=s,data=" + secret, exit.Usage},
		{"agent web01 call guest-set-user-password username=u crypted=off password=" + secret, exit.Usage},
	} {
		code, out, errs := w.run(secret, words(c.args)...)
		assert.Equal(t, c.code, code, "%s: %s", c.args, errs)
		assert.NotContains(t, out+errs, secret, c.args)
	}
	code, out, errs := w.run("set_password vnc "+secret, "hmp", "web01", "-")
	assert.Equal(t, exit.Failed, code)
	assert.NotContains(t, out+errs, secret)
}

// TestQEMUCall calls commands of real QEMUs.
func TestQEMUCall(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		name := "call-" + q.Release
		q.Run(t, "-name", name, "-S", "-nodefaults", "-display", "none", "-machine", "q35", "-device", "pcie-root-port,id=rp0")
		w := newWorld(t)
		run := func(want int, line string) string {
			t.Helper()
			var out, errs strings.Builder
			a := w.app("", &out, &errs)
			a.finder = local{t, name}
			require.Equal(t, want, a.run(t.Context(), words(line)), "%s: %s", line, errs.String())
			return out.String() + errs.String()
		}
		version := q.Release + "."
		assert.Contains(t, run(exit.OK, "ps"), name+"   "+version)
		assert.Contains(t, run(exit.OK, "call "+name+" query-version --jq .qemu.major"), strings.Split(q.Release, ".")[0])
		run(exit.OK, "call "+name+" blockdev-add driver=null-co node-name=d1 size=1M")
		assert.Contains(t, run(exit.OK, "call "+name+" query-named-block-nodes --jq .[].\"node-name\""), "d1\n")
		run(exit.OK, "call "+name+" device_add driver=virtio-blk-pci id=disk0 drive=d1 bus=rp0 bootindex=1 write-cache=on")
		run(exit.OK, "call "+name+" cont --wait RESUME --timeout 10s")
		assert.Contains(t, run(exit.Failed, "call "+name+" blockdev-del node-name=d1"), "qapi: blockdev-del: ")
		assert.Contains(t, run(exit.Usage, "call "+name+" device_add driver=virtio-blk-pci bootindx=1"), "did you mean bootindex?")
		assert.Contains(t, run(exit.OK, "hmp "+name+" info name"), name)
		run(exit.OK, "supports "+name+" query-status")
		run(exit.OK, "call "+name+" blockdev-add driver=null-co node-name=b size=1M")
		run(exit.OK, "call "+name+" blockdev-mirror job-id=m0 device=d1 target=b sync=full")
		run(exit.OK, "job wait "+name+" m0 --ready --timeout 10s")
		assert.Contains(t, run(exit.OK, "job ls "+name), "m0   mirror   100.0%   ready\n")
		run(exit.OK, "job cancel "+name+" m0")
		assert.Contains(t, run(exit.OK, "call "+name+" quit --wait SHUTDOWN:guest=false"), `"event":"SHUTDOWN"`)
		run(exit.NoConnection, "call "+name+" query-status")
	})
}

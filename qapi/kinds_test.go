package qapi

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp"
)

func TestErrorKinds(t *testing.T) {
	refused := func(class, desc string) error { return &qmp.Error{Command: "x", Class: class, Desc: desc} }
	tests := []struct {
		err  error
		want errorKind
	}{
		{nil, kindOther},
		{errors.New("Job not found"), kindOther},
		{refused(qmp.ClassGenericError, "Job not found"), kindNotFound},
		{refused(qmp.ClassGenericError, "Job not found, alas"), kindOther},
		{refused(qmp.ClassGenericError, "The Job not found"), kindOther},
		{refused("NewClass", "Job not found"), kindOther},
		{refused("DeviceNotFound", "anything"), kindNotFound},
		{fmt.Errorf("removing it: %w", refused("DeviceNotFound", "anything")), kindNotFound},
		{&qmp.Error{Command: "device_add", Class: "GenericError", Desc: "Property 'scsi-hd.none' not found"}, kindUnsupported},
		{&qmp.Error{Command: "qom-get", Class: "GenericError", Desc: "Property 'scsi-hd.none' not found"}, kindNotFound},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, kindOf(test.err), "%v", test.err)
	}
	assert.True(t, IsNotFound(refused("DeviceNotFound", "")))
	assert.True(t, IsInUse(refused("GenericError", "Node a is in use")))
	assert.True(t, IsExists(refused("GenericError", "Duplicate node name")))
	assert.True(t, IsUnsupported(refused("CommandNotFound", "")))
	assert.False(t, IsUnsupported(refused("GenericError", "Node a is in use")))
}

func TestLike(t *testing.T) {
	tests := []struct {
		text, pattern string
		want          bool
	}{
		{"", "", true}, {"a", "", false}, {"", "*", true}, {"a", "*", true},
		{"ab", "a*", true}, {"ba", "a*", false}, {"ab", "*b", true}, {"ba", "*b", false},
		{"a", "a*a", false}, {"aa", "a*a", true}, {"a1b2c", "a*b*c", true}, {"a1c2b", "a*b*c", false},
		{"abc", "a*bc*c", false}, {"abcc", "a*bc*c", true},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, like(test.text, test.pattern), "%q like %q", test.text, test.pattern)
	}
}

// provoked are commands that QEMU refuses, and what that means in every release. DIR is a
// folder, PORT a port that somebody listens on. Kind other: it is to succeed.
var provoked = []struct {
	kind    errorKind
	command string
}{
	{kindUnsupported, `none-such`},
	{kindUnsupported, `query-status {"none":1}`},
	{kindNotFound, `device_del {"id":"none"}`},
	{kindNotFound, `blockdev-del {"node-name":"none"}`},
	{kindNotFound, `blockdev-add {"driver":"raw","node-name":"a","file":"none"}`},
	{kindNotFound, `block_resize {"node-name":"none","size":1}`},
	{kindNotFound, `job-dismiss {"id":"none"}`},
	{kindNotFound, `block-job-cancel {"device":"none"}`},
	{kindNotFound, `balloon {"value":1048576}`},
	{kindNotFound, `device_add {"driver":"virtio-rng-pci","bus":"none"}`},
	{kindNotFound, `device_add {"driver":"usb-kbd"}`},
	{kindNotFound, `netdev_del {"id":"none"}`},
	{kindNotFound, `object-del {"id":"none"}`},
	{kindNotFound, `chardev-remove {"id":"none"}`},
	{kindNotFound, `ringbuf-read {"device":"none","size":1}`},
	{kindNotFound, `qom-get {"path":"/none","property":"x"}`},
	{kindNotFound, `qom-get {"path":"/objects","property":"none"}`},
	{kindNotFound, `qom-list-properties {"typename":"none"}`},
	{kindNotFound, `block-dirty-bitmap-remove {"node":"none","name":"b"}`},
	{kindNotFound, `closefd {"fdname":"none"}`},
	{kindNotFound, `remove-fd {"fdset-id":7}`},
	{kindNotFound, `query-rx-filter {"name":"none"}`},
	{kindNotFound, `query-cpu-model-expansion {"type":"static","model":{"name":"none"}}`},
	{kindNotFound, `blockdev-add {"driver":"file","node-name":"x","filename":"DIR/none"}`},

	{kindOther, `blockdev-add {"driver":"null-co","node-name":"n0","size":1048576}`},
	{kindExists, `blockdev-add {"driver":"null-co","node-name":"n0"}`},
	{kindNotFound, `block-dirty-bitmap-remove {"node":"n0","name":"none"}`},
	{kindOther, `block-dirty-bitmap-add {"node":"n0","name":"b0"}`},
	{kindExists, `block-dirty-bitmap-add {"node":"n0","name":"b0"}`},
	{kindNotFound, `blockdev-add {"driver":"throttle","node-name":"x","throttle-group":"none","file":"n0"}`},
	{kindOther, `object-add {"qom-type":"throttle-group","id":"tg0"}`},
	{kindOther, `blockdev-add {"driver":"throttle","node-name":"t","throttle-group":"tg0","file":"n0"}`},
	{kindInUse, `object-del {"id":"tg0"}`},
	{kindInUse, `blockdev-del {"node-name":"n0"}`},
	{kindUnsupported, `blockdev-add {"driver":"none","node-name":"x"}`},
	{kindUnsupported, `blockdev-add {"driver":"null-co","node-name":"x","none":1}`},
	{kindUnsupported, `blockdev-create {"job-id":"jc","options":{"driver":"null-co"}}`},

	{kindInUse, `nbd-server-start {"addr":{"type":"inet","data":{"host":"127.0.0.1","port":"PORT"}}}`},
	{kindOther, `nbd-server-start {"addr":{"type":"unix","data":{"path":"DIR/nbd"}}}`},
	{kindExists, `nbd-server-start {"addr":{"type":"unix","data":{"path":"DIR/nbd2"}}}`},
	{kindOther, `block-export-add {"type":"nbd","id":"e0","node-name":"n0"}`},
	{kindExists, `block-export-add {"type":"nbd","id":"e0","node-name":"n0"}`},
	{kindExists, `block-export-add {"type":"nbd","id":"e1","node-name":"n0"}`},
	{kindNotFound, `block-export-del {"id":"none"}`},

	{kindOther, `blockdev-add {"driver":"file","node-name":"f","filename":"DIR/img"}`},
	{kindOther, `blockdev-add {"driver":"raw","node-name":"r","file":"f"}`},
	{kindInUse, `blockdev-del {"node-name":"f"}`},
	{kindUnsupported, `blockdev-snapshot-internal-sync {"device":"r","name":"s"}`},
	{kindOther, `device_add {"driver":"scsi-hd","id":"d0","drive":"r","bus":"scsi0.0"}`},
	{kindInUse, `device_add {"driver":"scsi-hd","id":"d1","drive":"r","bus":"scsi0.0"}`},
	{kindExists, `device_add {"driver":"scsi-hd","id":"d0","drive":"n0","bus":"scsi0.0"}`},
	{kindNotFound, `device_add {"driver":"scsi-hd","id":"x","drive":"none","bus":"scsi0.0"}`},
	{kindUnsupported, `device_add {"driver":"none","id":"x"}`},
	{kindUnsupported, `device_add {"driver":"scsi-hd","id":"x","drive":"n0","bus":"scsi0.0","none":1}`},
	{kindUnsupported, `device_add {"driver":"virtio-rng-pci","bus":"pcie.0"}`},
	{kindInUse, `device_add {"driver":"virtio-rng-pci","bus":"rp0","addr":"0"}`},
	{kindInUse, `device_add {"driver":"virtio-rng-pci","bus":"rp0","addr":"0.1"}`},
	{kindInUse, `blockdev-del {"node-name":"r"}`},
	{kindOther, `blockdev-add {"driver":"file","node-name":"f2","filename":"DIR/img"}`},
	{kindInUse, `device_add {"driver":"scsi-hd","id":"x","drive":"f2","bus":"scsi0.0"}`},

	{kindOther, `blockdev-add {"driver":"null-co","node-name":"from","size":1048576}`},
	{kindOther, `blockdev-add {"driver":"null-co","node-name":"to","size":1048576}`},
	{kindOther, `blockdev-add {"driver":"null-co","node-name":"free","size":1048576}`},
	{kindOther, `blockdev-add {"driver":"null-co","node-name":"free2","size":1048576}`},
	{kindOther, `block-dirty-bitmap-add {"node":"from","name":"b0"}`},
	{kindOther, `blockdev-backup {"job-id":"j0","device":"from","target":"to","sync":"incremental","bitmap":"b0","auto-finalize":false}`},
	{kindInUse, `block-dirty-bitmap-remove {"node":"from","name":"b0"}`},
	{kindInUse, `blockdev-del {"node-name":"from"}`},
	{kindExists, `blockdev-backup {"job-id":"j0","device":"free","target":"free2","sync":"full"}`},
	{kindInUse, `blockdev-backup {"job-id":"j1","device":"n0","target":"t","sync":"full"}`},
	{kindOther, `blockdev-add {"driver":"raw","node-name":"rfrom","file":{"driver":"null-co","size":1073741824,"latency-ns":1000000000}}`},
	{kindOther, `blockdev-add {"driver":"null-co","node-name":"rto","size":1073741824}`},
	{kindOther, `blockdev-mirror {"job-id":"j2","device":"rfrom","target":"rto","sync":"full","speed":1}`},
	{kindInUse, `block_resize {"node-name":"rfrom","size":2097152}`},
	{kindInUse, `blockdev-backup {"job-id":"j3","device":"rfrom","target":"n0","sync":"full"}`},

	{kindOther, `object-add {"qom-type":"iothread","id":"io0"}`},
	{kindExists, `object-add {"qom-type":"iothread","id":"io0"}`},
	{kindUnsupported, `object-add {"qom-type":"none","id":"x"}`},
	{kindUnsupported, `object-add {"qom-type":"iothread","id":"x","none":1}`},
	{kindOther, `object-add {"qom-type":"memory-backend-ram","id":"m0","size":1048576}`},
	{kindInUse, `object-del {"id":"ram0"}`},
	{kindOther, duplicateNetdev},
	{kindExists, duplicateNetdev},
	{kindUnsupported, `netdev_add {"type":"none","id":"x"}`},
	{kindOther, `chardev-add {"id":"c0","backend":{"type":"null","data":{}}}`},
	{kindExists, `chardev-add {"id":"c0","backend":{"type":"null","data":{}}}`},
	{kindOther, `device_add {"driver":"virtserialport","id":"p0","chardev":"c0","bus":"vs0.0"}`},
	{kindInUse, `device_add {"driver":"virtserialport","id":"p1","chardev":"c0","bus":"vs0.0"}`},
	{kindInUse, `chardev-remove {"id":"c0"}`},
	{kindUnsupported, `chardev-add {"id":"x","backend":{"type":"none","data":{}}}`},
	{kindExists, `device_add {"driver":"qemu64-x86_64-cpu","id":"cpu1","socket-id":0,"core-id":0,"thread-id":0}`},
	{kindUnsupported, `migrate {"uri":"none:1"}`},
	{kindUnsupported, `query-gic-capabilities`},
	{kindUnsupported, `query-cpu-model-comparison {"modela":{"name":"max"},"modelb":{"name":"max"}}`},
	{kindInUse, `device_add {"driver":"virtio-net-pci","netdev":"net1","bus":"rp1"}`},
	{kindOther, `cont`},
	{kindNotFound, `input-send-event {"events":[{"type":"abs","data":{"axis":"x","value":1}}]}`},
}

const duplicateNetdev = `netdev_add {"type":"hubport","id":"net0","hubid":0}`

// otherwise are releases in which a command is another matter.
var otherwise = map[[2]string]errorKind{
	{"5.2", duplicateNetdev}: kindOther,
}

// TestQEMUErrorKinds provokes errors in each release, and each row of the table.
func TestQEMUErrorKinds(t *testing.T) {
	used := make([]bool, len(refusals))
	tried := map[string]bool{}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		tried[q.Release] = true
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "img"), make([]byte, 1<<20), 0o600))
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		here := strings.NewReplacer("DIR", dir, "PORT", port)
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", "-machine", "q35,memory-backend=ram0",
			"-object", "memory-backend-ram,id=ram0,size=64M", "-m", "64", "-smp", "1,maxcpus=2",
			"-device", "pcie-root-port,id=rp0,chassis=1", "-device", "virtio-scsi-pci,id=scsi0,bus=rp0",
			"-device", "virtio-serial-pci,id=vs0", "-device", "pcie-root-port,id=rp1,chassis=2",
			"-netdev", "hubport,id=net1,hubid=0", "-device", "virtio-net-pci,netdev=net1"))
		require.NoError(t, err)
		for _, p := range provoked {
			name, args, _ := strings.Cut(here.Replace(p.command), " ")
			err := conn.Execute(t.Context(), name, json.RawMessage(cmp.Or(args, "{}")), nil)
			want, other := otherwise[[2]string{q.Release, p.command}]
			if !other {
				want = p.kind
			}
			if want == kindOther {
				assert.NoError(t, err, p.command)
				continue
			}
			e, refused := errors.AsType[*qmp.Error](err)
			if !assert.True(t, refused, "%s: %v", p.command, err) {
				continue
			}
			assert.Equal(t, want, kindOf(err), "%s: %v", p.command, err)
			for i, r := range refusals {
				if r.fits(e) {
					used[i] = true
					break
				}
			}
		}
	})
	if tried["5.2"] && tried["7.2"] && tried["10.0"] && tried["11.1"] {
		for i, r := range refusals {
			assert.True(t, used[i], "no release says %q", r.text)
		}
	}
}

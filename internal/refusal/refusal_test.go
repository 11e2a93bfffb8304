package refusal

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

func TestOf(t *testing.T) {
	refused := func(class, desc string) error { return &qmp.Error{Command: "x", Class: class, Desc: desc} }
	tests := []struct {
		err  error
		want Kind
	}{
		{nil, Other},
		{errors.New("Job not found"), Other},
		{refused(qmp.ClassGenericError, "Job not found"), NotFound},
		{refused(qmp.ClassGenericError, "Job not found, alas"), Other},
		{refused(qmp.ClassGenericError, "The Job not found"), Other},
		{refused("NewClass", "Job not found"), Other},
		{refused("DeviceNotFound", "anything"), NotFound},
		{fmt.Errorf("removing it: %w", refused("DeviceNotFound", "anything")), NotFound},
		{&qmp.Error{Command: "device_add", Class: "GenericError", Desc: "Property 'scsi-hd.none' not found"}, Unsupported},
		{&qmp.Error{Command: "qom-get", Class: "GenericError", Desc: "Property 'scsi-hd.none' not found"}, NotFound},
	}
	for _, test := range tests {
		assert.Equal(t, test.want, Of(test.err), "%v", test.err)
	}
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
		assert.Equal(t, test.want, Like(test.text, test.pattern), "%q like %q", test.text, test.pattern)
	}
}

// provoked are commands that QEMU refuses, and what the refusal means in every release. DIR is a
// folder, PORT a port on which somebody listens. Commands of the kind Other must succeed.
var provoked = []struct {
	kind    Kind
	command string
}{
	{Unsupported, `none-such`},
	{Unsupported, `query-status {"none":1}`},
	{NotFound, `device_del {"id":"none"}`},
	{NotFound, `blockdev-del {"node-name":"none"}`},
	{NotFound, `blockdev-add {"driver":"raw","node-name":"a","file":"none"}`},
	{NotFound, `block_resize {"node-name":"none","size":1}`},
	{NotFound, `job-dismiss {"id":"none"}`},
	{NotFound, `block-job-cancel {"device":"none"}`},
	{NotFound, `balloon {"value":1048576}`},
	{NotFound, `device_add {"driver":"virtio-rng-pci","bus":"none"}`},
	{NotFound, `device_add {"driver":"usb-kbd"}`},
	{NotFound, `netdev_del {"id":"none"}`},
	{NotFound, `object-del {"id":"none"}`},
	{NotFound, `chardev-remove {"id":"none"}`},
	{NotFound, `ringbuf-read {"device":"none","size":1}`},
	{NotFound, `qom-get {"path":"/none","property":"x"}`},
	{NotFound, `qom-get {"path":"/objects","property":"none"}`},
	{NotFound, `qom-list-properties {"typename":"none"}`},
	{NotFound, `block-dirty-bitmap-remove {"node":"none","name":"b"}`},
	{NotFound, `closefd {"fdname":"none"}`},
	{NotFound, `remove-fd {"fdset-id":7}`},
	{NotFound, `query-rx-filter {"name":"none"}`},
	{NotFound, `query-cpu-model-expansion {"type":"static","model":{"name":"none"}}`},
	{NotFound, `blockdev-add {"driver":"file","node-name":"x","filename":"DIR/none"}`},

	{Other, `blockdev-add {"driver":"null-co","node-name":"n0","size":1048576}`},
	{Exists, `blockdev-add {"driver":"null-co","node-name":"n0"}`},
	{NotFound, `block-dirty-bitmap-remove {"node":"n0","name":"none"}`},
	{Other, `block-dirty-bitmap-add {"node":"n0","name":"b0"}`},
	{Exists, `block-dirty-bitmap-add {"node":"n0","name":"b0"}`},
	{NotFound, `blockdev-add {"driver":"throttle","node-name":"x","throttle-group":"none","file":"n0"}`},
	{Other, `object-add {"qom-type":"throttle-group","id":"tg0"}`},
	{Other, `blockdev-add {"driver":"throttle","node-name":"t","throttle-group":"tg0","file":"n0"}`},
	{InUse, `object-del {"id":"tg0"}`},
	{InUse, `blockdev-del {"node-name":"n0"}`},
	{Unsupported, `blockdev-add {"driver":"none","node-name":"x"}`},
	{Unsupported, `blockdev-add {"driver":"null-co","node-name":"x","none":1}`},
	{Unsupported, `blockdev-create {"job-id":"jc","options":{"driver":"null-co"}}`},

	{InUse, `nbd-server-start {"addr":{"type":"inet","data":{"host":"127.0.0.1","port":"PORT"}}}`},
	{Other, `nbd-server-start {"addr":{"type":"unix","data":{"path":"DIR/nbd"}}}`},
	{Exists, `nbd-server-start {"addr":{"type":"unix","data":{"path":"DIR/nbd2"}}}`},
	{Other, `block-export-add {"type":"nbd","id":"e0","node-name":"n0"}`},
	{Exists, `block-export-add {"type":"nbd","id":"e0","node-name":"n0"}`},
	{Exists, `block-export-add {"type":"nbd","id":"e1","node-name":"n0"}`},
	{NotFound, `block-export-del {"id":"none"}`},

	{Other, `blockdev-add {"driver":"file","node-name":"f","filename":"DIR/img"}`},
	{Other, `blockdev-add {"driver":"raw","node-name":"r","file":"f"}`},
	{InUse, `blockdev-del {"node-name":"f"}`},
	{Unsupported, `blockdev-snapshot-internal-sync {"device":"r","name":"s"}`},
	{Other, `device_add {"driver":"scsi-hd","id":"d0","drive":"r","bus":"scsi0.0"}`},
	{InUse, `device_add {"driver":"scsi-hd","id":"d1","drive":"r","bus":"scsi0.0"}`},
	{Exists, `device_add {"driver":"scsi-hd","id":"d0","drive":"n0","bus":"scsi0.0"}`},
	{NotFound, `device_add {"driver":"scsi-hd","id":"x","drive":"none","bus":"scsi0.0"}`},
	{Unsupported, `device_add {"driver":"none","id":"x"}`},
	{Unsupported, `device_add {"driver":"scsi-hd","id":"x","drive":"n0","bus":"scsi0.0","none":1}`},
	{Unsupported, `device_add {"driver":"virtio-rng-pci","bus":"pcie.0"}`},
	{InUse, `device_add {"driver":"virtio-rng-pci","bus":"rp0","addr":"0"}`},
	{InUse, `device_add {"driver":"virtio-rng-pci","bus":"rp0","addr":"0.1"}`},
	{InUse, `blockdev-del {"node-name":"r"}`},
	{Other, `blockdev-add {"driver":"file","node-name":"f2","filename":"DIR/img"}`},
	{InUse, `device_add {"driver":"scsi-hd","id":"x","drive":"f2","bus":"scsi0.0"}`},

	{Other, `blockdev-add {"driver":"null-co","node-name":"from","size":1048576}`},
	{Other, `blockdev-add {"driver":"null-co","node-name":"to","size":1048576}`},
	{Other, `blockdev-add {"driver":"null-co","node-name":"free","size":1048576}`},
	{Other, `blockdev-add {"driver":"null-co","node-name":"free2","size":1048576}`},
	{Other, `block-dirty-bitmap-add {"node":"from","name":"b0"}`},
	{Other, `blockdev-backup {"job-id":"j0","device":"from","target":"to","sync":"incremental","bitmap":"b0","auto-finalize":false}`},
	{InUse, `block-dirty-bitmap-remove {"node":"from","name":"b0"}`},
	{InUse, `blockdev-del {"node-name":"from"}`},
	{Exists, `blockdev-backup {"job-id":"j0","device":"free","target":"free2","sync":"full"}`},
	{InUse, `blockdev-backup {"job-id":"j1","device":"n0","target":"t","sync":"full"}`},
	{Other, `blockdev-add {"driver":"raw","node-name":"rfrom","file":{"driver":"null-co","size":1073741824,"latency-ns":1000000000}}`},
	{Other, `blockdev-add {"driver":"null-co","node-name":"rto","size":1073741824}`},
	{Other, `blockdev-mirror {"job-id":"j2","device":"rfrom","target":"rto","sync":"full","speed":1}`},
	{InUse, `block_resize {"node-name":"rfrom","size":2097152}`},
	{InUse, `blockdev-backup {"job-id":"j3","device":"rfrom","target":"n0","sync":"full"}`},

	{Other, `object-add {"qom-type":"iothread","id":"io0"}`},
	{Exists, `object-add {"qom-type":"iothread","id":"io0"}`},
	{Unsupported, `object-add {"qom-type":"none","id":"x"}`},
	{Unsupported, `object-add {"qom-type":"iothread","id":"x","none":1}`},
	{Other, `object-add {"qom-type":"memory-backend-ram","id":"m0","size":1048576}`},
	{InUse, `object-del {"id":"ram0"}`},
	{Other, duplicateNetdev},
	{Exists, duplicateNetdev},
	{Unsupported, `netdev_add {"type":"none","id":"x"}`},
	{Other, `chardev-add {"id":"c0","backend":{"type":"null","data":{}}}`},
	{Exists, `chardev-add {"id":"c0","backend":{"type":"null","data":{}}}`},
	{Other, `device_add {"driver":"virtserialport","id":"p0","chardev":"c0","bus":"vs0.0"}`},
	{InUse, `device_add {"driver":"virtserialport","id":"p1","chardev":"c0","bus":"vs0.0"}`},
	{InUse, `chardev-remove {"id":"c0"}`},
	{Unsupported, `chardev-add {"id":"x","backend":{"type":"none","data":{}}}`},
	{Exists, `device_add {"driver":"qemu64-x86_64-cpu","id":"cpu1","socket-id":0,"core-id":0,"thread-id":0}`},
	{Unsupported, `migrate {"uri":"none:1"}`},
	{Unsupported, `query-gic-capabilities`},
	{Unsupported, `query-cpu-model-comparison {"modela":{"name":"max"},"modelb":{"name":"max"}}`},
	{InUse, `device_add {"driver":"virtio-net-pci","netdev":"net1","bus":"rp1"}`},
	{Other, `cont`},
	{NotFound, `input-send-event {"events":[{"type":"abs","data":{"axis":"x","value":1}}]}`},
}

const duplicateNetdev = `netdev_add {"type":"hubport","id":"net0","hubid":0}`

// otherwise has the releases in which the refusal of a command means something else.
var otherwise = map[[2]string]Kind{
	{"5.2", duplicateNetdev}: Other,
}

// TestQEMUErrorKinds provokes errors in each release, and uses each row of the table.
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
			if want == Other {
				assert.NoError(t, err, p.command)
				continue
			}
			e, refused := errors.AsType[*qmp.Error](err)
			if !assert.True(t, refused, "%s: %v", p.command, err) {
				continue
			}
			assert.Equal(t, want, Of(err), "%s: %v", p.command, err)
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

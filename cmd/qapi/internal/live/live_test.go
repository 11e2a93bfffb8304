package live

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// The reply of a release to query-qmp-schema gives the same interface as its schema.
func TestInterface(t *testing.T) {
	for _, release := range []string{"5.2", "11.1"} {
		known, err := qemu.Load(release, qemu.QMP)
		require.NoError(t, err)
		conn, err := qmptest.Start(t, qmptest.Release(release)).Dial(t.Context())
		require.NoError(t, err)
		list, err := qapi.NewClient(conn).QueryQMPSchema(t.Context())
		require.NoError(t, err)
		checkInterface(t, NewInterface(list, known), known)
	}
}

func checkInterface(t *testing.T, i *Interface, known *schema.Schema) {
	t.Helper()
	assert.Greater(t, len(i.Commands()), 150)
	assert.Greater(t, len(i.Events()), 30)
	own, facts := &complete.Engine{Interface: i}, &complete.Engine{Interface: known}
	for _, words := range []string{
		"blockdev-add", "blockdev-add driver=qcow2 file.driver=nbd file.server.type=inet", "migrate", "device_add", "query-status",
		"chardev-add backend.type=socket", "transaction actions.0.type=blockdev-backup",
	} {
		for _, last := range []string{"", "file.", "file.server.", "driver=raw", "backend.data.", "actions.0.data."} {
			line := strings.Fields(words)
			want := facts.Complete(t.Context(), line, last)
			assert.ElementsMatch(t, show(want), show(own.Complete(t.Context(), line, last)), "%s %s", words, last)
		}
	}
	assert.False(t, i.Lookup("device_add").(*schema.Command).Gen)
	assert.Nil(t, i.Lookup("no-such"))
}

func show(found []complete.Candidate) []string {
	var words []string
	for _, c := range found {
		words = append(words, c.Word)
	}
	return words
}

// A fork's own commands are completed.
func TestFork(t *testing.T) {
	known, err := qemu.Load("11.1", qemu.QMP)
	require.NoError(t, err)
	list := []qapi.SchemaInfo{
		{Name: "fork-it", MetaType: qapi.SchemaInfoCommand{ArgType: "1", RetType: "9"}},
		{Name: "1", MetaType: qapi.SchemaInfoObject{
			Members: []qapi.SchemaInfoObjectMember{{Name: "how", Type: "2"}, {Name: "next", Type: "1", Default: []byte("null")}},
			Tag:     new("how"), Variants: []qapi.SchemaInfoObjectVariant{{Case: "fast", Type: "3"}, {Case: "odd", Type: "str"}},
		}},
		{Name: "2", MetaType: qapi.SchemaInfoEnum{Members: []qapi.SchemaInfoEnumMember{{Name: "fast"}, {Name: "slow"}}}},
		{Name: "3", MetaType: qapi.SchemaInfoObject{Members: []qapi.SchemaInfoObjectMember{{Name: "speed", Type: "int"}}}},
		{Name: "int", MetaType: qapi.SchemaInfoBuiltin{JSONType: qapi.JSONTypeInt}},
		{Name: "str", MetaType: qapi.SchemaInfoBuiltin{JSONType: qapi.JSONTypeString}},
	}
	e := &complete.Engine{Interface: NewInterface(list, known)}
	assert.Equal(t, []string{"fork-it"}, show(e.Complete(t.Context(), nil, "f")))
	assert.Equal(t, []string{"how=fast", "how=slow"}, show(e.Complete(t.Context(), []string{"fork-it"}, "how=")))
	assert.Equal(t, []string{"speed=", "next."}, show(e.Complete(t.Context(), []string{"fork-it", "how=fast"}, "")))
	assert.Equal(t, []string{"next.how=", "next.next."}, show(e.Complete(t.Context(), []string{"fork-it", "how=fast"}, "next.")))
}

// Types that contain themselves, and missing entries, do no harm.
func TestHostileInterface(t *testing.T) {
	known, err := qemu.Load("11.1", qemu.QMP)
	require.NoError(t, err)
	list := []qapi.SchemaInfo{
		{Name: "c", MetaType: qapi.SchemaInfoCommand{ArgType: "u"}},
		{Name: "d", MetaType: qapi.SchemaInfoCommand{ArgType: "a"}},
		{Name: "u", MetaType: qapi.SchemaInfoObject{
			Members: []qapi.SchemaInfoObjectMember{{Name: "t", Type: "e"}, {Name: "a", Type: "a"}, {Name: "l", Type: "l"}, {Name: "gone", Type: "gone"}},
			Tag:     new("t"), Variants: []qapi.SchemaInfoObjectVariant{{Case: "x", Type: "u"}},
		}},
		{Name: "e", MetaType: qapi.SchemaInfoEnum{Members: []qapi.SchemaInfoEnumMember{{Name: "x"}}}},
		{Name: "a", MetaType: qapi.SchemaInfoAlternate{Members: []qapi.SchemaInfoAlternateMember{{Type: "a"}, {Type: "u"}}}},
		{Name: "l", MetaType: qapi.SchemaInfoArray{ElementType: "l"}},
	}
	e := &complete.Engine{Interface: NewInterface(list, known)}
	for _, last := range []string{"", "a.", "a.a.a.", "l.", "l.0.0.0.", "t=", "gone=", "l.0.0="} {
		e.Complete(t.Context(), []string{"c", "t=x", "a.t=x"}, last)
		e.Complete(t.Context(), []string{"d"}, last)
	}
}

// Only queries are used to ask for names of each kind.
func TestNames(t *testing.T) {
	srv := qmptest.Start(t)
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{NodeName: new("disk0"), Driver: qapi.BlockdevOptionsNullCo{}}))
	require.NoError(t, c.BlockDirtyBitmapAdd(t.Context(), qapi.BlockDirtyBitmapAdd{Node: "disk0", Name: "b0"}))
	require.NoError(t, c.ObjectAdd(t.Context(), qapi.ObjectOptions{ID: "io0", QOMType: qapi.ObjectOptionsIothread{}}))
	require.NoError(t, c.NetdevAdd(t.Context(), qapi.Netdev{ID: "net0", Type: qapi.NetdevUser{}}))
	before := srv.Calls()
	n := Of(c)
	for kind, want := range map[complete.Kind]string{
		complete.Node: "disk0", complete.Block: "disk0", complete.Device: "scsi0", complete.DeviceType: "virtio-blk-pci",
		complete.Object: "io0", complete.IOThread: "io0", complete.Netdev: "net0", complete.NIC: "net0",
		complete.Bitmap: "b0",
	} {
		assert.Contains(t, n.Names(t.Context(), kind, ""), want, "%s", kind)
	}
	assert.Contains(t, n.Names(t.Context(), complete.Bitmap, "disk0"), "b0")
	assert.Empty(t, n.Names(t.Context(), complete.Bitmap, "other"))
	assert.Contains(t, n.Names(t.Context(), complete.Property, "virtio-blk-pci"), "drive")
	assert.Contains(t, n.Names(t.Context(), complete.QOMPath, "/machine/"), "peripheral/")
	assert.Contains(t, n.Names(t.Context(), complete.QOMProperty, "/machine"), "type")
	for _, kind := range []complete.Kind{complete.Job, complete.Export, complete.Chardev, complete.Audiodev, complete.TPM, complete.File, complete.ObjectType} {
		n.Names(t.Context(), kind, "")
	}
	for _, call := range srv.Calls()[len(before):] {
		switch name := call.Command; {
		case strings.HasPrefix(name, "query-"), strings.HasPrefix(name, "qom-list"), name == "device-list-properties":
		case name == "human-monitor-command":
			assert.Contains(t, string(call.Arguments), "info network")
		default:
			t.Errorf("%s is not a query", name)
		}
	}
}

// A server that does not answer delays completion by half a second, at most once a second.
func TestNamesInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t)
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		qmptest.Handle(srv, srv.Commands.QueryJobs, func(context.Context) ([]qapi.JobInfo, error) {
			return nil, qmptest.ErrNoReply
		})
		n := Of(qapi.NewClient(conn))
		start := time.Now()
		assert.Empty(t, n.Names(t.Context(), complete.Job, ""))
		assert.Empty(t, n.Names(t.Context(), complete.Job, ""))
		assert.Equal(t, Limit, time.Since(start))
		n.Forget()
		assert.Empty(t, n.Names(t.Context(), complete.Job, ""))
		assert.Equal(t, 2*Limit, time.Since(start))
		require.NoError(t, conn.Close())
	})
}

// The interface of a real QEMU has what is compiled in, and its names are found.
func TestQEMULive(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		p, err := qmp.Launch(t.Context(), exec.Command(q.Path, "-S", "-nodefaults", "-display", "none", "-machine", "q35",
			"-blockdev", "null-co,node-name=disk0", "-netdev", "user,id=net0", "-device", "virtio-net-pci,id=nic0,netdev=net0",
			"-object", "iothread,id=io0", "-chardev", "null,id=ch0"))
		require.NoError(t, err)
		defer p.Close()
		c := qapi.NewClient(p.Conn)
		list, err := c.QueryQMPSchema(t.Context())
		require.NoError(t, err)
		known, err := qemu.Load(q.Release, qemu.QMP)
		require.NoError(t, err)
		e := &complete.Engine{Interface: NewInterface(list, known), Live: Of(c)}
		for line, want := range map[string]string{
			"blockdev-add driver=qcow2 file=":       "file=disk0",
			"block_resize node-name=":               "node-name=disk0",
			"device_del id=":                        "id=nic0",
			"netdev_del id=":                        "id=net0",
			"set_link name=":                        "name=nic0",
			"object-del id=":                        "id=io0",
			"chardev-remove id=":                    "id=ch0",
			"device_add driver=virtio-blk-p":        "driver=virtio-blk-pci",
			"device_add driver=virtio-blk-pci driv": "drive=",
			"qom-get path=/machine/peripheral/":     "path=/machine/peripheral/nic0/",
			"qom-get path=/machine property=ty":     "property=type",
			"netdev_add type=user hostfwd.":         "hostfwd.0.",
			"object-add qom-type=iot":               "qom-type=iothread",
		} {
			all := strings.Split(line, " ")
			assert.Contains(t, show(e.Complete(t.Context(), all[:len(all)-1], all[len(all)-1])), want, line)
		}
	})
}

package machine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDevicesAreUnpluggedAfterTheReply(t *testing.T) {
	v := newVM(t, "11.1")
	v.ok("blockdev-add", `{"driver":"null-co","node-name":"n"}`)
	v.ok("device_add", `{"driver":"scsi-hd","id":"sd","drive":"n"}`)
	assert.Equal(t, []string{`error GenericError: Node n is in use`}, v.execute("blockdev-del", `{"node-name":"n"}`))
	assert.Equal(t, []string{
		`return {}`,
		`DEVICE_DELETED {"device":"sd","path":"/machine/peripheral/sd"}`,
	}, v.execute("device_del", `{"id":"sd"}`))
	v.ok("blockdev-del", `{"node-name":"n"}`)
}

func TestVirtioDevicesHaveTwoParts(t *testing.T) {
	v := newVM(t, "11.1")
	v.ok("device_add", `{"driver":"virtio-rng","id":"rng"}`)
	assert.Equal(t, []string{
		`return {}`,
		`DEVICE_DELETED {"path":"/machine/peripheral/rng/virtio-backend"}`,
		`DEVICE_DELETED {"device":"rng","path":"/machine/peripheral/rng"}`,
	}, v.execute("device_del", `{"id":"rng"}`))
}

func TestMisspeltDevices(t *testing.T) {
	v := newVM(t, "11.1")
	assert.Equal(t, []string{`error GenericError: 'virtio-blk-pcii' is not a valid device model name`},
		v.execute("device_add", `{"driver":"virtio-blk-pcii"}`))
	assert.Equal(t, []string{`error DeviceNotFound: Device 'sd' not found`}, v.execute("device_del", `{"id":"sd"}`))
}

func TestDiskIsNotSharedUnlessAskedFor(t *testing.T) {
	v := newVM(t, "11.1")
	v.ok("blockdev-add", `{"driver":"null-co","node-name":"n"}`)
	v.ok("blockdev-add", `{"driver":"raw","node-name":"above","file":"n"}`)
	v.ok("device_add", `{"driver":"scsi-hd","drive":"n","share-rw":true}`)
	assert.Contains(t, v.execute("device_add", `{"driver":"scsi-hd","drive":"above"}`)[0], "Permission conflict on node 'above'")
	v.ok("device_add", `{"driver":"scsi-hd","drive":"n","share-rw":true}`)
}

func TestSecretsAreNotShown(t *testing.T) {
	v := newVM(t, "11.1")
	v.ok("object-add", `{"qom-type":"secret","id":"s","data":"swordfish"}`)
	assert.Equal(t, []string{`return [{"name":"type","type":"string"}]`}, v.execute("qom-list", `{"path":"/objects/s"}`))
	assert.Equal(t, []string{`error GenericError: Property 'secret.data' not found`},
		v.execute("qom-get", `{"path":"/objects/s","property":"data"}`))
}

func TestPty(t *testing.T) {
	v := newVM(t, "11.1")
	assert.Equal(t, []string{`return {"pty":"/dev/pts/0"}`}, v.execute("chardev-add", `{"id":"c","backend":{"type":"pty","data":{}}}`))
	assert.Contains(t, v.execute("query-chardev")[0], `{"filename":"pty:/dev/pts/0","frontend-open":false,"label":"c"}`)
}

func TestTray(t *testing.T) {
	v := newVM(t, "11.1")
	assert.Equal(t, []string{`DEVICE_TRAY_MOVED {"device":"","id":"cd0","tray-open":true}`, `return {}`},
		v.execute("blockdev-open-tray", `{"id":"cd0"}`))
	assert.Equal(t, []string{`DEVICE_TRAY_MOVED {"device":"","id":"cd0","tray-open":false}`, `return {}`},
		v.execute("blockdev-change-medium", `{"id":"cd0","filename":"cd.iso","read-only-mode":"read-only"}`))
	drives := v.execute("query-block")[0]
	assert.Contains(t, drives, `"file":"cd.iso"`)
	assert.Contains(t, drives, `"ro":true`)
	v.execute("eject", `{"id":"cd0"}`)
	assert.Equal(t, []string{`return []`}, v.execute("query-named-block-nodes"))
}

// bad plugs in a disk that cannot be read.
func bad(v *vm, rerror, errno string) {
	v.ok("blockdev-add", `{"driver":"blkdebug","node-name":"bad","image":{"driver":"null-co"},
		"inject-error":[{"event":"none","iotype":"write","errno":1},{"event":"none","errno":`+errno+`}]}`)
	v.ok("device_add", `{"driver":"virtio-blk-pci","id":"vd","drive":"bad","rerror":"`+rerror+`"}`)
}

func TestBadDiskStopsTheMachine(t *testing.T) {
	const where = `"node-name":"bad","nospace":false,"operation":"read","qom-path":"/machine/peripheral/vd/virtio-backend"`
	v := newVM(t, "11.1")
	bad(v, "stop", "5")
	assert.Equal(t, []string{
		`RESUME {}`, `return {}`,
		`BLOCK_IO_ERROR {"action":"stop","device":"",` + where + `,"reason":"Input/output error"}`,
		`STOP {}`,
	}, v.execute("cont"))
	assert.Equal(t, []string{`return {"running":false,"status":"io-error"}`}, v.execute("query-status"))
	assert.Contains(t, v.execute("query-block")[0], `"io-status":"failed"`)
}

func TestBadDiskIsReported(t *testing.T) {
	for rerror, action := range map[string]string{"report": "report", "ignore": "ignore", "enospc": "report", "auto": "report"} {
		v := newVM(t, "7.2")
		bad(v, rerror, "5")
		said := v.execute("cont")
		assert.Len(t, said, 3, rerror)
		assert.Contains(t, said[2], `BLOCK_IO_ERROR {"action":"`+action+`"`, rerror)
		assert.Contains(t, v.execute("query-status")[0], `"running":true`, rerror)
	}
	v := newVM(t, "11.1")
	bad(v, "enospc", "28")
	assert.Contains(t, v.execute("cont")[2], `"nospace":true`)
}

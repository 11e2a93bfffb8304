package complete

import "path"

// A Kind says what kind of thing a text names.
type Kind string

// The kinds.
const (
	None        Kind = ""
	Node        Kind = "block node"
	Block       Kind = "block node or drive"
	Device      Kind = "device" // its id
	DeviceType  Kind = "device type"
	Property    Kind = "property" // of the device type
	Job         Kind = "job"
	Chardev     Kind = "character device"
	Netdev      Kind = "network backend"
	NIC         Kind = "network interface or backend"
	Object      Kind = "object" // its id
	ObjectType  Kind = "object type"
	IOThread    Kind = "iothread"
	Export      Kind = "export"
	Bitmap      Kind = "dirty bitmap" // of the block node
	Audiodev    Kind = "audio backend"
	TPM         Kind = "TPM backend"
	QOMPath     Kind = "QOM path"     // below the path, which is empty or ends in "/"
	QOMProperty Kind = "QOM property" // of the path
	File        Kind = "file"
)

// A row says what an argument, or a member in one, names.
type row struct {
	commands, member string // patterns of package path
	kind             Kind
}

// rows are tried in order; the first that matches counts.
var rows = []row{
	// These name new things.
	{"blockdev-add", "node-name", None},
	{"drive-mirror", "node-name", None},
	{"chardev-add", "id", None},
	{"netdev_add", "id", None},
	{"object-add", "id", None},
	{"device_add", "id", None},
	{"block-export-add", "id", None},
	{"block-dirty-bitmap-add", "name", None},

	// Devices.
	{"device_add", "driver", DeviceType},
	{"device-list-properties", "typename", DeviceType},
	{"device_add", "bus", Device},
	{"device_del", "id", Device},
	{"device-sync-config", "id", Device},
	{"eject", "id", Device},
	{"blockdev-*-tray", "id", Device},
	{"blockdev-*-medium", "id", Device},
	{"block_set_io_throttle", "id", Device},
	{"block-latency-histogram-set", "id", Device},
	{"screendump", "device", Device},
	{"input-send-event", "device", Device},
	{"query-rx-filter", "name", Device},
	{"query-rocker*", "name", Device},
	{"announce-self", "interfaces", Device},

	// Block.
	{"block-job-*", "device", Job},
	{"block-job-*", "id", Job},
	{"job-*", "id", Job},
	{"block-export-del", "id", Export},
	{"nbd-server-remove", "name", Export},
	{"block-dirty-bitmap-*", "name", Bitmap},
	{"block-dirty-bitmap-merge", "target", Bitmap},
	{"block-dirty-bitmap-merge", "bitmaps", Bitmap},
	{"x-debug-block-dirty-bitmap-sha256", "name", Bitmap},
	{"ringbuf-*", "device", Chardev},
	{"drive-*", "target", File},
	{"*", "device", Block},
	{"blockdev-*", "target", Node},
	{"snapshot-*", "devices", Node},
	{"snapshot-*", "vmstate", Node},
	{"blockdev-snapshot", "node", Node},
	{"blockdev-snapshot", "overlay", Node},
	{"block-dirty-bitmap-*", "node", Node},
	{"x-debug-block-dirty-bitmap-sha256", "node", Node},
	{"x-blockdev-change", "node", Node},
	{"x-blockdev-change", "parent", Node},
	{"*", "node-name", Node},
	{"*", "base-node", Node},
	{"*", "top-node", Node},
	{"*", "bottom", Node},
	{"*", "replaces", Node},
	{"*", "image-node-name", Node},

	// Others.
	{"chardev-*", "id", Chardev},
	{"*", "chardev", Chardev},
	{"netdev_del", "id", Netdev},
	{"*", "netdev", Netdev},
	{"set_link", "name", NIC},
	{"object-del", "id", Object},
	{"qom-list-properties", "typename", ObjectType},
	{"object-add", "qom-type", ObjectType}, // QEMU 5.2: an enum later
	{"*", "iothread", IOThread},
	{"*", "tls-creds", Object},
	{"*", "tls-authz", Object},
	{"*", "*-secret", Object},
	{"set-numa-node", "memdev", Object},
	{"qom-list-get", "paths", QOMPath},
	{"qom-*", "path", QOMPath},
	{"qom-*", "property", QOMProperty},
	{"cxl-*", "path", QOMPath},
	{"x-query-virtio-*", "path", QOMPath},

	// Files, as the server names them.
	{"blockdev-*", "backing-file", None}, // a text that is written into the image
	{"*", "filename", File},
	{"*", "snapshot-file", File},
	{"object-add", "mem-path", File},
	{"blockdev-*", "path", File},
	{"netdev_add", "path", File},
	{"chardev-*", "path", File},
	{"nbd-server-start", "path", File},
	{"migrate*", "path", File},
}

func kindOf(command, member string) Kind {
	for _, r := range rows {
		if matches(r.member, member) && matches(r.commands, command) {
			return r.kind
		}
	}
	return None
}

func matches(pattern, name string) bool {
	if pattern == "*" || pattern == name {
		return true
	}
	ok, _ := path.Match(pattern, name)
	return ok
}

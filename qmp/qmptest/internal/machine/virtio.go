package machine

import (
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// queueSizes are how many entries the rings of virtio devices have, by kind. A device has one
// queue for each.
var queueSizes = map[string][]uint32{
	"virtio-balloon": {128, 128, 128},
	"virtio-blk":     {256},
	"virtio-crypto":  {1024, 1024},
	"virtio-input":   {64, 64},
	"virtio-net":     {256, 256, 64},
	"virtio-rng":     {8},
	"virtio-scsi":    {256, 256, 256},
}

// virtioKinds has the kinds of those devices whose kind is not their name.
var virtioKinds = map[string]string{
	"virtio-keyboard": "virtio-input", "virtio-mouse": "virtio-input", "virtio-tablet": "virtio-input",
}

func (m *Machine) virtioCommands() map[string]Handler {
	return map[string]Handler{
		"x-query-virtio":                    query(m, m.virtioDevices),
		"x-query-virtio-queue-status":       handle(m, m.virtioQueue),
		"x-query-virtio-queue-element":      change(m, m.virtioElement),
		"x-query-virtio-vhost-queue-status": change(m, m.vhostQueue),
	}
}

// virtioKind returns the kind of a virtio device, such as virtio-blk.
func (d *device) virtioKind() string {
	name := strings.TrimSuffix(d.class(), "-device")
	if kind := virtioKinds[name]; kind != "" {
		return kind
	}
	return name
}

func (m *Machine) virtioDevices() []qapi.VirtioInfo {
	all := []qapi.VirtioInfo{}
	for _, d := range m.devices {
		if d.onPCI() {
			all = append(all, qapi.VirtioInfo{Path: d.backend(), Name: d.virtioKind()})
		}
	}
	return all
}

// virtioDevice finds a device by the path of its virtio part; what is how the error calls that.
func (m *Machine) virtioDevice(path, what string) (*device, error) {
	for _, d := range m.devices {
		if d.onPCI() && d.backend() == path {
			return d, nil
		}
	}
	return nil, generic("Path %s is not a %s", path, what)
}

// queueSize returns how many entries a queue of a device has.
func (m *Machine) queueSize(d *device, queue uint16) (uint32, error) {
	sizes, ok := queueSizes[d.virtioKind()]
	switch {
	case !ok || d.props["num-queues"] != nil || d.props["num_queues"] != nil:
		return 0, m.host.NotExecuted("queries of the queues of a " + d.driver)
	case int(queue) >= len(sizes):
		return 0, generic("Invalid virtqueue number %d", queue)
	case m.since("10.0") && !m.since("11.1"):
		return 1024, nil
	}
	return sizes[queue], nil
}

// virtioQueue returns the state of a queue that no driver of a guest has set up.
func (m *Machine) virtioQueue(args qapi.XQueryVirtioQueueStatusArgs, _ Request) (any, error) {
	d, err := m.virtioDevice(args.Path, "VirtIODevice")
	if err != nil {
		return nil, err
	}
	size, err := m.queueSize(d, args.Queue)
	return qapi.VirtQueueStatus{
		Name: d.virtioKind(), QueueIndex: args.Queue, VringNum: size, VringNumDefault: size, VringAlign: 4096,
		LastAvailIdx: new(uint16(0)), ShadowAvailIdx: new(uint16(0)),
	}, err
}

// virtioElement fails, since a queue that no driver has set up has no elements.
func (m *Machine) virtioElement(args qapi.XQueryVirtioQueueElementArgs, _ Request) error {
	d, err := m.virtioDevice(args.Path, "VirtIO device")
	if err != nil {
		return err
	}
	if _, err := m.queueSize(d, args.Queue); err != nil {
		return err
	}
	return generic("Region caches not initialized")
}

// vhostQueue fails, since vhost serves no device.
func (m *Machine) vhostQueue(args qapi.XQueryVirtioVhostQueueStatusArgs, _ Request) error {
	if _, err := m.virtioDevice(args.Path, "VirtIODevice"); err != nil {
		return err
	}
	return generic("Error: vhost device has not started yet")
}

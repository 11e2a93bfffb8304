package machine

import (
	"math"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// SetMemorySlots limits how many memory modules the machine can have.
func (m *Machine) SetMemorySlots(slots int) { m.slots = slots }

func (d *device) isDIMM() bool { return d.driver == "pc-dimm" || d.driver == "nvdimm" }

func (d *device) isVirtioMem() bool { return d.driver == "virtio-mem-pci" }

// plugMemory looks for room for a memory device, which has a backend.
func (m *Machine) plugMemory(d *device) error {
	used := 0
	for _, other := range m.devices {
		if other.isDIMM() {
			used++
		}
	}
	path, _ := d.props["memdev"].(string)
	backend := m.object(strings.TrimPrefix(path, objects))
	switch {
	case backend == nil || backend.memdev == nil:
		return notFound(path)
	case d.isDIMM() && m.slots > 0 && used == m.slots:
		return generic("no free slots available")
	}
	d.place = used
	d.most = int64(min(backend.memdev.Size, math.MaxInt64))
	if d.isDIMM() {
		d.has = d.most
		return nil
	}
	wanted, _ := d.props["requested-size"].(uint64)
	return m.want(d, int64(wanted))
}

// memoryBlock is the size in which virtio-mem gives memory.
const memoryBlock = 2 << 20

// want sets how much memory of a virtio-mem device the guest should have.
func (m *Machine) want(d *device, size int64) error {
	switch {
	case size%memoryBlock != 0:
		return generic("'requested-size' has to be multiples of 'block-size' (0x%x)", memoryBlock)
	case size > d.most:
		return generic("'requested-size' cannot exceed the memory backend size(0x%x)", d.most)
	}
	d.wanted = size
	d.props["requested-size"] = uint64(size)
	return nil
}

// setWanted executes qom-set of requested-size.
func (m *Machine) setWanted(d *device, req Request) error {
	var v struct {
		Value int64 `json:"value"`
	}
	if err := req.Decode(&v); err != nil || v.Value < 0 {
		return generic("Invalid parameter type for 'requested-size', expected: a size")
	}
	if err := m.want(d, v.Value); err != nil {
		return err
	}
	m.asksGuestAfter(req, m.memoryMoves)
	return nil
}

// memoryMoves makes a guest that obeys take memory of virtio-mem devices, or give it back.
func (m *Machine) memoryMoves(guest Guest) {
	for _, d := range m.devices {
		if !d.isVirtioMem() || guest != Obeys || !m.running() || d.has == d.wanted {
			continue
		}
		d.has = d.wanted
		e := qapi.MemoryDeviceSizeChangeEvent{ID: &d.id, Size: uint64(d.has)}
		if m.since("6.2") {
			e.QOMPath = d.path
		}
		m.host.Emit(e)
	}
}

// isEmpty returns why a virtio-mem device cannot be unplugged; nil if it can, since it is empty.
func (m *Machine) isEmpty(d *device) error {
	switch {
	case !m.since("8.2"):
		return generic("virtio based memory devices cannot be unplugged.")
	case d.wanted != 0:
		return generic("virtio-mem device cannot get unplugged while 'requested-size' != '0'")
	case d.has != 0:
		return generic("virtio-mem device cannot get unplugged while some of its memory is still plugged")
	}
	return nil
}

// firstDIMM is the address of the first memory that is plugged in.
const firstDIMM = 4 << 30

func (m *Machine) queryMemoryDevices() []qapi.MemoryDeviceInfo {
	all := []qapi.MemoryDeviceInfo{}
	addr := int64(firstDIMM)
	for _, d := range m.devices {
		memdev, _ := d.props["memdev"].(string)
		switch {
		case d.isDIMM():
			info := qapi.PCDIMMDeviceInfo{
				ID: &d.id, Addr: addr, Size: d.has, Slot: int64(d.place), Memdev: memdev, Hotplugged: true, Hotpluggable: true,
			}
			if d.driver == "nvdimm" {
				all = append(all, qapi.MemoryDeviceInfo{Type: qapi.MemoryDeviceInfoNvdimm(info)})
			} else {
				all = append(all, qapi.MemoryDeviceInfo{Type: qapi.MemoryDeviceInfoDimm(info)})
			}
		case d.isVirtioMem():
			all = append(all, qapi.MemoryDeviceInfo{Type: qapi.MemoryDeviceInfoVirtioMem{
				ID: &d.id, Memaddr: uint64(addr), RequestedSize: uint64(d.wanted), Size: uint64(d.has), MaxSize: uint64(d.most),
				BlockSize: memoryBlock, Memdev: memdev,
			}})
		}
		addr += d.most
	}
	return all
}

func (m *Machine) queryMemory() qapi.MemoryInfo {
	return qapi.MemoryInfo{BaseMemory: memory, PluggedMemory: new(uint64(m.plugged()))}
}

// plugged returns how much memory the guest has in addition to what it was started with.
func (m *Machine) plugged() (size int64) {
	for _, d := range m.devices {
		if d.isDIMM() || d.isVirtioMem() {
			size += d.has
		}
	}
	return size
}

package rules

import "github.com/goqapi/goqapi/internal/versions"

// fixed are the devices that cannot be plugged in while the machine runs, although their bus could
// take them. 5.2, 7.2, 10.0 and 11.1 agree about them, except that not every release has every
// device.
var fixed = setOf(
	"VGA", "acpi-erst", "amd-iommu", "ati-vga", "cirrus-vga", "cxl-rp", "guest-loader", "hv-syndbg",
	"ich9-usb-ehci1", "ich9-usb-ehci2", "ich9-usb-uhci1", "ich9-usb-uhci2", "ich9-usb-uhci3", "ich9-usb-uhci4",
	"ich9-usb-uhci5", "ich9-usb-uhci6", "intel-iommu", "ipmi-bmc-extern", "ipmi-bmc-sim", "loader", "nvme-subsys",
	"pci-ohci", "piix3-ide", "piix3-ide-xen", "piix4-ide", "pxb", "pxb-cxl", "pxb-pcie", "qxl-vga", "ramfb", "sp-mem",
	"tpm-crb", "uefi-vars-sysbus", "vfio-pci-igd-lpc-bridge", "vfio-pci-nohotplug", "vhost-user-gpu", "vhost-user-gpu-pci",
	"vhost-user-vga", "virtio-gpu-device", "virtio-gpu-gl-pci", "virtio-gpu-pci", "virtio-iommu-pci",
	"virtio-iommu-pci-non-transitional", "virtio-vga", "virtio-vga-gl", "vmclock", "vmcoreinfo", "vmgenid", "vmware-svga",
	"xen-backend",
)

// fixedBuses are the types of buses that devices cannot be plugged into while the machine runs.
var fixedBuses = setOf("ISA", "IDE", "HDA", "floppy-bus", "i2c-bus", "System")

func setOf(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// Hotplugs reports whether a device can be plugged in while the machine runs, if its bus takes it.
func Hotplugs(device string) bool { return !fixed[device] }

// BusHotplugs reports whether buses of a type take devices while the machine runs. The
// namespaces of an nvme controller can be plugged in since release 11.
func BusHotplugs(bus, release string) bool {
	if bus == "nvme-bus" {
		return versions.Compare(release, "11.0") >= 0
	}
	return !fixedBuses[bus]
}

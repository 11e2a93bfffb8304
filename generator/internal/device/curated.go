package device

// A group has the devices of one kind, which share a file of the package and a file of
// descriptions.
type group struct {
	file  string // the name of both files, without its ending
	what  string
	names []string
}

// curated lists the devices that package qapi/device has: those that people use, or that QEMU's
// documentation recommends, in any release that we know. All others are in leftOut, with the
// reason.
var curated = []group{
	{"storage", "disks", []string{
		// Disks for guests with virtio drivers; names with ccw are for s390x, those with device are
		// for virtio-mmio (microvm, virt).
		"virtio-blk-pci", "virtio-blk-ccw", "virtio-blk-device", "vhost-user-blk-pci",
		// SCSI controllers, and the devices on their buses
		"virtio-scsi-pci", "virtio-scsi-ccw", "virtio-scsi-device", "vhost-scsi-pci", "vhost-scsi-ccw",
		"vhost-user-scsi-pci", "scsi-hd", "scsi-cd", "scsi-block", "scsi-generic",
		// Controllers of real hardware, for guests without virtio drivers and for tests of drivers
		"megasas", "megasas-gen2", "mptsas1068", "lsi53c895a", "pvscsi", "am53c974",
		// IDE, SATA
		"ich9-ahci", "piix3-ide", "ide-hd", "ide-cd",
		// NVMe
		"nvme", "nvme-ns", "nvme-subsys",
		// UFS
		"ufs", "ufs-lu",
		// USB disks
		"usb-storage", "usb-uas", "usb-bot",
		// Floppies
		"isa-fdc", "floppy",
		// SD
		"sdhci-pci", "sd-card",
	}},
	{"network", "network", []string{
		"virtio-net-pci", "virtio-net-ccw", "virtio-net-device", "e1000", "e1000-82544gc", "e1000-82545em",
		"e1000e", "igb", "rtl8139", "vmxnet3", "pcnet", "ne2k_pci",
		// the three models of the eepro100, of 13, that libvirt knows by name
		"i82551", "i82557b", "i82559er", "usb-net",
		// a switch; the only device here that has a property with a list
		"rocker",
	}},
	{"display", "displays", []string{
		"VGA", "secondary-vga", "bochs-display", "cirrus-vga", "qxl", "qxl-vga", "ramfb", "vmware-svga",
		"virtio-gpu-pci", "virtio-gpu-ccw", "virtio-gpu-gl-pci", "virtio-vga", "virtio-vga-gl", "vhost-user-gpu-pci",
	}},
	{"input", "input", []string{
		"virtio-keyboard-pci", "virtio-keyboard-ccw", "virtio-mouse-pci", "virtio-mouse-ccw", "virtio-tablet-pci",
		"virtio-tablet-ccw", "virtio-multitouch-pci", "virtio-input-host-pci", "vhost-user-input-pci",
		"usb-kbd", "usb-mouse", "usb-tablet", "usb-wacom-tablet",
	}},
	{"sound", "sound", []string{
		"intel-hda", "ich9-intel-hda", "hda-output", "hda-duplex", "hda-micro", "AC97", "ES1370", "sb16",
		"usb-audio", "virtio-sound-pci", "vhost-user-snd-pci",
	}},
	{"serial", "serial and character devices", []string{
		"isa-serial", "isa-parallel", "pci-serial", "virtio-serial-pci", "virtio-serial-ccw", "virtio-serial-device",
		"virtserialport", "virtconsole", "usb-serial", "sclpconsole", "sclplmconsole", "isa-debugcon",
	}},
	{"usb", "USB controllers, and devices that are not disks, cards, input or sound", []string{
		"qemu-xhci", "nec-usb-xhci", "usb-ehci", "ich9-usb-ehci1", "ich9-usb-uhci1", "ich9-usb-uhci2",
		"ich9-usb-uhci3", "piix3-usb-uhci", "pci-ohci", "usb-hub", "usb-host", "usb-redir", "usb-mtp",
		"usb-ccid", "ccid-card-emulated", "ccid-card-passthru", "u2f-passthru",
	}},
	{"bridge", "bridges and ports", []string{
		"pcie-root-port", "ioh3420", "x3130-upstream", "xio3130-downstream", "pcie-pci-bridge", "i82801b11-bridge",
		"pci-bridge", "pxb", "pxb-pcie", "pxb-cxl", "cxl-rp", "cxl-upstream", "cxl-downstream",
		// configures a PCI device of s390x
		"zpci",
	}},
	{"memory", "memory", []string{
		"pc-dimm", "nvdimm", "virtio-mem-pci", "virtio-mem-ccw", "virtio-pmem-pci", "cxl-type3", "virtio-balloon-pci",
		"virtio-balloon-ccw", "virtio-balloon-device", "hv-balloon",
	}},
	{"virtio", "other virtio and vhost-user devices", []string{
		"virtio-rng-pci", "virtio-rng-ccw", "virtio-rng-device", "virtio-crypto-pci", "virtio-crypto-ccw",
		"vhost-vsock-pci", "vhost-vsock-ccw", "vhost-vsock-device", "vhost-user-vsock-pci", "virtio-9p-pci",
		"virtio-9p-ccw", "virtio-9p-device", "vhost-user-fs-pci", "vhost-user-fs-ccw", "vhost-user-fs-device",
		"vhost-user-rng-pci", "vhost-user-gpio-pci", "vhost-user-i2c-pci", "vhost-vdpa-device-pci",
	}},
	{"iommu", "IOMMUs", []string{
		"intel-iommu", "amd-iommu", "virtio-iommu-pci", "arm-smmuv3",
	}},
	{"vfio", "devices of the host", []string{
		"vfio-pci", "vfio-pci-nohotplug", "vfio-ccw", "vfio-ap", "vfio-user-pci",
	}},
	{"platform", "watchdogs, panic, TPM, IPMI, and what the firmware and the guest are told", []string{
		"i6300esb", "ib700", "diag288", "pvpanic", "pvpanic-pci", "tpm-tis", "tpm-crb", "tpm-tis-device",
		"ipmi-bmc-sim", "ipmi-bmc-extern", "isa-ipmi-kcs", "isa-ipmi-bt", "pci-ipmi-kcs", "pci-ipmi-bt",
		"vmgenid", "vmclock", "vmcoreinfo", "acpi-erst", "uefi-vars-x64", "sga", "isa-applesmc",
	}},
	{"tools", "shared memory, loaders, and what tests of guests use", []string{
		"ivshmem-plain", "ivshmem-doorbell", "loader", "guest-loader", "isa-debug-exit", "edu",
	}},
	{"hyperv", "Hyper-V and Xen", []string{
		"vmbus-bridge",
		// with the Xen accelerator, or with KVM's emulation of Xen (10.0 on)
		"xen-platform", "xen-disk", "xen-cdrom", "xen-net-device", "xen-console",
	}},
}

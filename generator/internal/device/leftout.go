package device

import (
	"path"
	"slices"

	"github.com/goqapi/goqapi/schema/devices"
)

// An omission describes devices that users can create and that package qapi/device does not have.
type omission struct {
	names []string // patterns, as of path.Match
	buses []string // all devices that are plugged into buses of these types
	why   string
}

// leftOut lists the devices that are not curated; a test checks that it has all of them, and that
// each row is needed.
var leftOut = []omission{
	{names: []string{"*-transitional", "*-non-transitional"}, why: "disable-legacy and disable-modern of the plain device have the same effect"},
	{names: []string{"*-cpu"}, why: "processors have one struct for each target"},
	{buses: []string{"SSI", "i2c-bus", "i3c-bus", "aux-bus", "opb", "fsi.bus", "fsi.lbus"}, why: "parts of embedded boards, such as flash and sensors"},
	{names: []string{"nand", "led", "dm163", "*-otp", "xlnx,efuse", "bcm2835-*", "npcm7xx-*"}, why: "parts of boards and chips, which users can create by accident"},
	{buses: []string{"virtio-bus"}, why: "rarely used on virtio-mmio; the PCI devices contain the same"},
	{names: []string{"vhost-user-scmi-pci", "vhost-user-spi-pci", "vhost-user-rtc-pci", "virtio-rtc-pci"}, why: "too new or too rare to have backends"},
	{names: []string{"*-testdev", "vhost-user-test-device-pci", "x-pci-proxy-dev"}, why: "for tests of QEMU itself"},
	{names: []string{"i82550", "i82557a", "i82557c", "i82558*", "i82559[a-c]", "i82562", "i82801"}, why: "the same card as the three that have types, with other ids"},
	{names: []string{"i8042", "vmmouse", "mc146818rtc", "isa-ide", "piix4-ide", "AMDVI-PCI", "isa-vga", "isa-cirrus-vga", "emmc", "sd-card-spi",
		"uefi-vars-sysbus", "aspeed.pcie-root-port", "sbsa-gwdt"}, why: "parts that machines have from the start"},
	{names: []string{"ich9-usb-ehci2", "ich9-usb-uhci[4-6]", "piix4-usb-uhci", "vt82c686b-usb-uhci", "lsi53c810", "dc390", "ide-cf",
		"pci-bridge-seat", "pci-serial-?x"}, why: "almost the same as devices that have types"},
	{names: []string{"adlib", "gus", "cs4231a", "ne2k_isa"}, why: "ISA cards from the time of DOS, of which one has a type"},
	{names: []string{"kvaser_pci", "ctucan_pci", "mioe3680_pci", "pcm3680_pci", "tpci200", "cxl-switch-mailbox-cci", "sp-mem"},
		buses: []string{"IndustryPack", "nitro-vsock-bus"}, why: "rare buses and parts"},
	{names: []string{"ide-drive", "scsi-disk", "pvrdma", "xen-pci-passthrough", "xen-pvdevice", "igd-passthrough-isa-bridge", "piix3-ide-xen",
		"vfio-platform", "vfio-amd-xgbe", "vfio-calxeda-xgmac"}, why: "QEMU has removed them"},
	{names: []string{"vfio-pci-igd-lpc-bridge", "xen-backend"}, why: "QEMU makes them itself"},
	{names: []string{"x-terminal3270"}, why: "experimental, by its name"},
	{names: []string{"ati-vga", "vhost-user-vga", "tulip", "usb-braille", "hv-syndbg"}, why: "rare, and there are better devices for the same purpose"},
}

// has reports whether o describes a device.
func (o omission) has(t *devices.Type) bool {
	return slices.Contains(o.buses, t.Bus) || slices.ContainsFunc(o.names, func(pattern string) bool {
		match, _ := path.Match(pattern, t.Name)
		return match
	})
}

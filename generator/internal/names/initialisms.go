package names

import "strings"

// initialisms are the words that Go names write in capitals, with their
// spelling. Those of Go's usual list come first, then the field's own.
var initialisms = table(
	// What Go's own linters take for initialisms, as far as schemas have them.
	"API", "ACL", "CPU", "DNS", "EOF", "FTP", "GUID", "HTTP", "HTTPS", "ID", "IP",
	"JSON", "RAM", "RPC", "SMTP", "SSH", "TCP", "TLS", "TTL", "UDP", "UI", "UID",
	"URI", "URL", "UUID", "VM", "XML",

	// QEMU, its protocol and its parts.
	"FD", "FDT", "GDB", "HMP", "IO", "KVM", "OOB", "QAPI", "QEMU", "QMP", "QOM",
	"TCG", "VNC", "WHPX",

	// Buses, firmware and devices.
	"ACPI", "AHCI", "BIOS", "CD", "CXL", "DMA", "GIC", "IDE", "IOMMU", "IRQ",
	"MMIO", "MMU", "MSI", "NIC", "NUMA", "PCI", "PCIE", "PIT", "PMU", "RTC",
	"SATA", "SCSI", "SMBIOS", "SMM", "TPM", "UEFI", "USB", "VGA",

	// Networks, storage and secrets.
	"DHCP", "FTPS", "LUKS", "MAC", "NBD", "NFS", "PSK", "RBD", "SASL",
	"SEV", "SGX", "SHA", "SMB", "TFTP",
)

func table(spellings ...string) map[string]string {
	m := make(map[string]string, len(spellings))
	for _, s := range spellings {
		m[strings.ToLower(s)] = s
	}
	return m
}

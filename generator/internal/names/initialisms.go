package names

import "strings"

// initialisms are the words that Go names write in capitals, with their spelling; they
// may have a plural s. Each occurs in a schema of the project: TestInitialismsAreUsed
// fails if one does not. Words that are usually written in lower case (iscsi, vdpa,
// qcow2) are not here.
var initialisms = table(
	// The initialisms of Go's own linters.
	"API", "CPU", "DNS", "EOF", "FTP", "GUID", "HTTP", "HTTPS", "ID", "IP", "JSON",
	"RAM", "SSH", "TCP", "TLS", "TTL", "UDP", "UI", "URI", "URL", "UTF8", "UUID", "VM",
	// Operating systems and networks.
	"BPS", "DHCP", "FD", "FQDN", "FTPS", "GID", "ICMP", "IO", "IOPS", "IPv4", "IPv6",
	"LBA", "LUN", "MAC", "MTU", "NBD", "NFS", "OS", "PID", "RBD", "SASL", "SCSI", "SMB",
	"TFTP", "VLAN",
	// QEMU, its protocol and its parts.
	"HMP", "KVM", "OOB", "QAPI", "QEMU", "QGA", "QMP", "QOM", "TCG", "VNC", "WHPX",
	// Buses, firmware and devices.
	"ACPI", "AER", "ATS", "BIOS", "CPUID", "CXL", "DMA", "EDID", "GIC", "GPU", "HDA",
	"IDE", "IOMMU", "IPMI", "IRQ", "ISA", "MMIO", "MSI", "MSIX", "NIC", "NMI", "NUMA", "PCI",
	"PCIE", "ROM", "RTC", "SATA", "SMBIOS", "SRIOV", "TPM", "UEFI", "USB", "WWN", "WWPN",
	// Devices. NVMe, DIMM, VFIO, CCW and FDC are not here: older names have them in small letters.
	"AHCI", "AMD", "BMC", "BT", "CCID", "CD", "EHCI", "ERST", "GPIO", "HD", "I2C",
	"KCS", "MTP", "OHCI", "PVSCSI", "PXB", "QXL", "RP", "SDHCI", "SVGA", "UAS", "UFS", "UHCI", "VGA", "WCE", "XHCI",
	// No plural of OS, but the Open Sound System, which QEMU writes in small letters.
	"Oss",
	// Secrets.
	"CRC", "DES", "LUKS", "MD5", "PSK", "RSA", "SEV", "SGX", "SHA1", "SHA224", "SHA256",
	"SHA384", "SHA512",
)

// table returns the spellings, by the word in lower case.
func table(spellings ...string) map[string]string {
	m := make(map[string]string, len(spellings))
	for _, s := range spellings {
		m[strings.ToLower(s)] = s
	}
	return m
}

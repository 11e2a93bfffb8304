package names

import "strings"

// initialisms are the words that Go names write in capitals, with their
// spelling; a plural s is understood. Each occurs in a schema that the project
// has: TestInitialismsAreUsed fails for one that does not. What the field
// writes in small letters (iscsi, vdpa, qcow2) is not here.
var initialisms = table(
	// What Go's own linters take for initialisms.
	"API", "CPU", "DNS", "EOF", "FTP", "GUID", "HTTP", "HTTPS", "ID", "IP", "JSON",
	"RAM", "SSH", "TCP", "TLS", "TTL", "UDP", "UI", "URI", "URL", "UTF8", "UUID", "VM",
	// What operating systems and networks have.
	"BPS", "DHCP", "FD", "FQDN", "FTPS", "GID", "ICMP", "IO", "IOPS", "IPv4", "IPv6",
	"LBA", "LUN", "MAC", "MTU", "NBD", "NFS", "OS", "PID", "RBD", "SASL", "SCSI", "SMB",
	"TFTP", "VLAN",
	// QEMU, its protocol and its parts.
	"HMP", "KVM", "OOB", "QAPI", "QEMU", "QGA", "QMP", "QOM", "TCG", "VNC", "WHPX",
	// Buses, firmware and devices.
	"ACPI", "AER", "ATS", "BIOS", "CPUID", "CXL", "DMA", "EDID", "GIC", "GPU", "HDA",
	"IDE", "IOMMU", "IPMI", "IRQ", "ISA", "MMIO", "MSI", "MSIX", "NIC", "NMI", "NUMA", "PCI",
	"PCIE", "ROM", "RTC", "SATA", "SMBIOS", "SRIOV", "TPM", "UEFI", "USB", "WWN", "WWPN",
	// No plural of OS, but the Open Sound System, which QEMU writes in small letters.
	"Oss",
	// Secrets.
	"CRC", "DES", "LUKS", "MD5", "PSK", "RSA", "SEV", "SGX", "SHA1", "SHA224", "SHA256",
	"SHA384", "SHA512",
)

// table keys the spellings by the word in small letters.
func table(spellings ...string) map[string]string {
	m := make(map[string]string, len(spellings))
	for _, s := range spellings {
		m[strings.ToLower(s)] = s
	}
	return m
}

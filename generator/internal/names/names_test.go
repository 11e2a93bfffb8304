package names

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExported(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"query-status", "QueryStatus"},
		{"query-cpus-fast", "QueryCPUsFast"},
		{"query-qmp-schema", "QueryQMPSchema"},
		{"device_add", "DeviceAdd"},
		{"x-query-irq", "XQueryIRQ"},
		{"human-monitor-command", "HumanMonitorCommand"},
		{"VncInfo", "VNCInfo"},
		{"BlockDeviceIoStatus", "BlockDeviceIOStatus"},
		{"ACPIOSTInfo", "ACPIOSTInfo"},
		{"QCryptoBlockOptionsQCow", "QCryptoBlockOptionsQCow"},
		{"PCIELinkSpeed", "PCIELinkSpeed"},
		{"x86_64", "X86_64"},
		{"s390x", "S390x"},
		{"tls-creds-x509", "TLSCredsX509"},
		{"nvme-io_uring", "NvmeIOUring"},
		{"https", "HTTPS"},
		{"add-fd", "AddFD"},
		{"fds", "FDs"},
		{"bus", "Bus"},
		{"VVFAT", "VVFAT"},
		{"l1_update", "L1Update"},
		{"__org.example_x-1", "OrgExampleX1"},
		{"GenericError", "GenericError"},
		{"TPMEmulatorOptions", "TPMEmulatorOptions"},
		{"__3com.com_thing", "X3comComThing"},
		{"2fa", "X2fa"},
		{"_", "X"},
	} {
		assert.Equal(t, c.want, Exported(c.in), c.in)
	}
}

func TestSuffix(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2_5", "2_5"},
		{"2.12", "212"},
		{"__3com.com_thing", "3comComThing"},
		{"io-error", "IOError"},
	} {
		assert.Equal(t, c.want, Suffix(c.in), c.in)
	}
}

func TestEvent(t *testing.T) {
	assert.Equal(t, "BlockIOError", Event("BLOCK_IO_ERROR"))
	assert.Equal(t, "NICRxFilterChanged", Event("NIC_RX_FILTER_CHANGED"))
	assert.Equal(t, "VNCConnected", Event("VNC_CONNECTED"))
}

func TestFile(t *testing.T) {
	assert.Equal(t, "block_core_gen.go", File("qapi/block-core.json"))
	assert.Equal(t, "machine_s390x_gen.go", File("qapi/machine-s390x.json"))
	assert.Equal(t, "__gen.go", File(";.json"))
	assert.Equal(t, "a________b.c_gen.go", File("x/a :*?\"\n\\-b.c.json"))
	assert.Equal(t, "n_tz__gen.go", File("nétz\u202e.json"))
}

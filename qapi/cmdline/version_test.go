package cmdline

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/qmp"
)

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]qmp.Version{
		"QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright\n": {Major: 7, Minor: 2, Micro: 22, Package: "Debian 1:7.2+dfsg-7+deb12u18+b3"},
		"QEMU emulator version 11.1.3":                     {Major: 11, Minor: 1, Micro: 3},
		"QEMU emulator version 8.0.50 (v8.0.0-1-gabc)\r\n": {Major: 8, Minor: 0, Micro: 50, Package: "v8.0.0-1-gabc"},
		"QEMU emulator version 9.0.0-rc1\n":                {Major: 9},
		"qemu-storage-daemon version 5.2.0 (x)":            {Major: 5, Minor: 2, Package: "x"},
	} {
		name, got, ok := parseVersion(text)
		assert.Contains(t, []string{"QEMU emulator", "qemu-storage-daemon"}, name)
		assert.True(t, ok, "%q", text)
		assert.Equal(t, want, got, "%q", text)
	}
	for _, text := range []string{"", "7.2.0", "QEMU version 7.2", "QEMU version a.b.c", "QEMU version 7.2.-1", "QEMU\nversion 7.2.0", "x version 1.2.99999999999999999999"} {
		_, _, ok := parseVersion(text)
		assert.False(t, ok, "%q", text)
	}
}

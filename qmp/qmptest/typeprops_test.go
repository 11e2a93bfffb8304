package qmptest_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// TestQEMUTypeProperties compares what a real QEMU and the fake list of types of devices: names,
// types and defaults. The fake has no descriptions, and no parts and wires of devices.
func TestQEMUTypeProperties(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp"))
		require.NoError(t, err)
		real := qapi.NewClient(conn)
		defer real.Close()
		conn, err = qmptest.Start(t, qmptest.Version(conn.Greeting().Version)).Dial(t.Context())
		require.NoError(t, err)
		fake := qapi.NewClient(conn)
		defer fake.Close()
		for _, typ := range []string{"usb-tablet", "virtio-rng-pci", "e1000", "scsi-hd", "nvme", "pc-dimm", "pci-device", "device"} {
			args := qapi.QOMListPropertiesArgs{Typename: typ}
			want, err := real.QOMListProperties(t.Context(), args)
			require.NoError(t, err)
			got, err := fake.QOMListProperties(t.Context(), args)
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(facts(want), facts(got)), "qom-list-properties of %s", typ)
		}
		for _, typ := range []string{"usb-tablet", "virtio-rng-pci", "e1000", "scsi-hd", "nvme", "pc-dimm"} {
			args := qapi.DeviceListPropertiesArgs{Typename: typ}
			want, err := real.DeviceListProperties(t.Context(), args)
			require.NoError(t, err)
			got, err := fake.DeviceListProperties(t.Context(), args)
			require.NoError(t, err)
			assert.Empty(t, cmp.Diff(facts(want), facts(got)), "device-list-properties of %s", typ)
		}
	})
}

// facts returns what both say of properties.
func facts(list []qapi.ObjectPropertyInfo) (all []string) {
	for _, p := range list {
		// Parts, wires, and properties for the human monitor that repeat others.
		if strings.HasPrefix(p.Type, "child<") || strings.HasPrefix(p.Type, "link<irq") || strings.HasPrefix(p.Name, "legacy-") {
			continue
		}
		all = append(all, fmt.Sprint(p.Name, " ", p.Type, " ", string(p.DefaultValue)))
	}
	slices.Sort(all)
	return all
}

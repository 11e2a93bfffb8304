package qemu

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/schema/devices"
)

func TestDevices(t *testing.T) {
	require.Equal(t, []string{"5.2", "7.2", "10.0", "11.1"}, DeviceReleases())
	for _, release := range short.Ends(DeviceReleases()) {
		l, err := Devices(release)
		require.NoError(t, err)
		require.Equal(t, release, l.Release)
		require.Equal(t, []string{"x86_64", "aarch64", "s390x"}, l.Targets())
		text, err := files.ReadFile(release + "/devices.txt")
		require.NoError(t, err)
		require.Equal(t, string(text), string(l.Format()), "the file is not as Format writes it")
		joined, err := devices.Join(l)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(l, joined, cmpopts.IgnoreUnexported(devices.List{})), "a property could be stored with another type")
		again, err := Devices(release)
		require.NoError(t, err)
		require.Same(t, l, again)
	}
	_, err := Devices("8.2")
	require.EqualError(t, err, `the devices of QEMU "8.2" are not known; those of 5.2, 7.2, 10.0, 11.1 are`)
}

// TestDeviceFacts compares a few facts with what QEMU itself listed.
func TestDeviceFacts(t *testing.T) {
	users := map[string]int{"5.2": 372, "7.2": 388, "10.0": 436, "11.1": 485} // -device help of x86_64
	for release, want := range users {
		l, err := Devices(release)
		require.NoError(t, err)
		n := 0
		for _, typ := range l.Types {
			if on := l.TargetsOf(typ); typ.User() && len(on) > 0 && on[0] == "x86_64" {
				n++
			}
		}
		require.Equal(t, want, n, release)
	}
	prop := func(release, typ, name, target string) *devices.Prop {
		l, err := Devices(release)
		require.NoError(t, err)
		for _, p := range l.PropsOn(l.Type(typ), target) {
			if p.Name == name {
				return &p
			}
		}
		return nil
	}
	require.Equal(t, &devices.Prop{Name: "drive", Type: "str", Kind: devices.KindDrive}, prop("11.1", "virtio-blk-pci", "drive", "x86_64"))
	require.Equal(t, &devices.Prop{Name: "addr", Type: "int32", Kind: devices.KindPCIAddr, Default: "-1"}, prop("5.2", "virtio-blk-pci", "addr", "aarch64"))
	require.Equal(t, &devices.Prop{Name: "addr", Type: "str", Kind: devices.KindPCIAddr, Default: "-1"}, prop("10.0", "e1000", "addr", "x86_64"))
	require.Equal(t, &devices.Prop{Name: "devno", Type: "str", Kind: devices.KindCSSID}, prop("7.2", "virtio-blk-ccw", "devno", "s390x"))
	require.Nil(t, prop("7.2", "virtio-blk-pci", "loadparm", "x86_64"))
	require.NotNil(t, prop("11.1", "virtio-blk-pci", "loadparm", "s390x"))
	require.True(t, prop("10.0", "pc-dimm", "size", "x86_64").ReadOnly)
	require.True(t, prop("10.0", "usb-tablet", "attached", "x86_64").ReadOnly)
	require.False(t, prop("10.0", "usb-uas", "attached", "x86_64").ReadOnly)
	require.NotNil(t, prop("11.1", "qemu64-x86_64-cpu", "avx512f", "x86_64"), "a CPU model has the properties of all models")
	l, err := Devices("7.2")
	require.NoError(t, err)
	require.Equal(t, l.Targets(), l.Type("virtio-gpu-gl-pci").Unasked)
	require.Equal(t, []string{"x86_64", "aarch64"}, l.Type("virtio-blk-pci").AliasTargets)
}

package device_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// fake starts a server of a release that has what Check and Read ask for.
func fake(t *testing.T, release string) (*qmptest.Server, *qapi.Client) {
	t.Helper()
	srv := qmptest.Start(t, qmptest.Release(release))
	qmptest.Handle(srv, srv.Commands.HumanMonitorCommand, func(context.Context, qapi.HumanMonitorCommandArgs) (string, error) {
		return "Storage devices:\r\nname \"virtio-blk-pci\", bus PCI, alias \"virtio-blk\"\r\nname \"PIIX4\", bus PCI, desc \"ISA, no-user \", no-user\r\n" +
			"name \"odd\", desc \"a, alias \"\r\nname \"\r\n", nil
	})
	qmptest.Handle(srv, srv.Commands.DeviceListProperties, func(_ context.Context, args qapi.DeviceListPropertiesArgs) ([]qapi.ObjectPropertyInfo, error) {
		if args.Typename != "virtio-blk-pci" {
			return nil, &qmp.Error{Class: qmp.ClassDeviceNotFound, Desc: "none"}
		}
		return []qapi.ObjectPropertyInfo{{Name: "drive", Type: "str"}, {Name: "num-queues", Type: "uint16"}}, nil
	})
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)
	t.Cleanup(func() { c.Close() })
	return srv, c
}

func TestCheck(t *testing.T) {
	srv, c := fake(t, "11.1")
	for range 2 {
		require.NoError(t, device.Check(t.Context(), c, device.VirtioBlkPCI{ID: "a", Bus: "b", Drive: "d"}))
		require.NoError(t, device.Check(t.Context(), c, qapi.DeviceAddArgs{Driver: "virtio-blk"}))
	}
	assert.Equal(t, 1, srv.Count("device-list-properties"), "the server is asked once")
	assert.Equal(t, 1, srv.Count("human-monitor-command"))

	err := device.Check(t.Context(), c, qapi.DeviceAddArgs{Driver: "virtio-blk-pci", Props: map[string]any{"num_queue": 1, "drive": 5}})
	assert.EqualError(t, err, "device: virtio-blk-pci of QEMU 11.1.0: property 'drive' is a string, not a number\n"+
		"device: virtio-blk-pci of QEMU 11.1.0 has no property 'num_queue'; did you mean 'num-queues'?")
	first, ok := errors.AsType[*device.PropertyError](err)
	require.True(t, ok)
	assert.Equal(t, "drive", first.Property)

	err = device.Check(t.Context(), c, qapi.DeviceAddArgs{Driver: "PIIX4"})
	assert.EqualError(t, err, "device: PIIX4 of QEMU 11.1.0 is a part of machines, which users cannot create")
	err = device.Check(t.Context(), c, qapi.DeviceAddArgs{Driver: "virtio-blkpci\x1b"})
	unknown, ok := errors.AsType[*device.TypeError](err)
	require.True(t, ok)
	assert.Equal(t, "virtio-blk-pci", unknown.Nearest)
	assert.NotContains(t, err.Error(), "\x1b", "control sequences for a terminal")
	assert.ErrorContains(t, device.Check(t.Context(), c, qapi.DeviceAddArgs{Driver: "xyz"}), "has no device 'xyz'")
	assert.ErrorContains(t, device.Check(t.Context(), c, qapi.DeviceAddArgs{}), "qapi: device: qapi.DeviceAddArgs has no driver")
}

// Without the human monitor, only whether a type exists is known.
func TestCheckWithoutMonitor(t *testing.T) {
	srv, c := fake(t, "7.2")
	srv.Handle("human-monitor-command", func(context.Context, *qmptest.Request) (any, error) {
		return nil, &qmp.Error{Class: qmp.ClassCommandNotFound, Desc: "disabled"}
	})
	require.NoError(t, device.Check(t.Context(), c, device.VirtioBlkPCI{}))
	err := device.Check(t.Context(), c, device.E1000{})
	assert.EqualError(t, err, "device: QEMU 7.2.0 has no device 'e1000'")

	require.NoError(t, device.Check(t.Context(), c, device.VirtioGPUGlPCI{}), "asking for it may end the server")
	assert.Equal(t, 2, srv.Count("device-list-properties"))
}

func TestRead(t *testing.T) {
	for _, release := range []string{"7.2", "11.1"} {
		srv, c := fake(t, release)
		props := map[string][2]string{ // type and value
			"type": {"string", `"virtio-blk-pci"`}, "parent_bus": {"link<bus>", `"/machine/q35/pcie.0"`}, "drive": {"str", `"d0"`},
			"iothread": {"link<iothread>", `"/objects/io0"`}, "addr": {"str", `41`}, "num-queues": {"uint16", `4`}, "bootindex": {"int32", `-1`},
			"virtio-backend": {"child<virtio-blk-device>", `"/x"`}, "vectors": {"uint32", ""}, "romfile": {"str", `""`},
		}
		qmptest.Handle(srv, srv.Commands.QOMList, func(context.Context, qapi.QOMListArgs) ([]qapi.ObjectPropertyInfo, error) {
			var list []qapi.ObjectPropertyInfo
			for name, p := range props {
				list = append(list, qapi.ObjectPropertyInfo{Name: name, Type: p[0]})
			}
			return list, nil
		})
		qmptest.Handle(srv, srv.Commands.QOMGet, func(_ context.Context, args qapi.QOMGetArgs) (json.RawMessage, error) {
			if props[args.Property][1] == "" {
				return nil, errors.New("cannot be read")
			}
			return json.RawMessage(props[args.Property][1]), nil
		})
		if release == "11.1" {
			qmptest.Handle(srv, srv.Commands.QOMListGet, func(context.Context, qapi.QOMListGetArgs) ([]qapi.ObjectPropertiesValues, error) {
				var object qapi.ObjectPropertiesValues
				for name, p := range props {
					value := qapi.ObjectPropertyValue{Name: name, Type: p[0]}
					if p[1] != "" {
						value.Value = json.RawMessage(p[1])
					}
					object.Properties = append(object.Properties, value)
				}
				return []qapi.ObjectPropertiesValues{object}, nil
			})
		}
		got, err := device.Read[device.VirtioBlkPCI](t.Context(), c, "vd0")
		require.NoError(t, err)
		assert.Equal(t, device.VirtioBlkPCI{
			ID: "vd0", Bus: "pcie.0", Drive: "d0", Iothread: "io0", Addr: device.SlotFunction(5, 1), NumQueues: new(uint16(4)),
			Bootindex: new(int32(-1)), Romfile: new(""),
		}, got)
		if release == "11.1" {
			assert.Equal(t, 0, srv.Count("qom-get"), "all at once")
		}

		props["num-queues"] = [2]string{"uint16", `"four"`}
		_, err = device.Read[device.VirtioBlkPCI](t.Context(), c, "vd0")
		assert.ErrorContains(t, err, "device: reading vd0: ")
		assert.ErrorContains(t, err, "/num-queues", "the place")
		_, err = device.Read[device.E1000](t.Context(), c, "vd0")
		assert.EqualError(t, err, "device: reading vd0: it is a virtio-blk-pci, not a e1000")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = device.Read[device.VirtioBlkPCI](ctx, c, "vd0")
		assert.ErrorIs(t, err, context.Canceled)
	}
}

func TestCPUs(t *testing.T) {
	for _, c := range []struct {
		dev  qapi.Device
		want string
	}{
		{device.X86CPU{ID: "c1", Model: "qemu64", CoreID: new(int32(1)), Features: map[string]bool{"avx2": true, "sse4.1": false}, Props: map[string]any{"phys-bits": 40}},
			`{"driver":"qemu64-x86_64-cpu","id":"c1","core-id":1,"avx2":true,"sse4.1":false,"phys-bits":40}`},
		{device.ARMCPU{Model: "max", MPAffinity: new(uint64(1<<64 - 1))}, `{"driver":"max-arm-cpu","mp-affinity":18446744073709551615}`},
		{device.S390XCPU{Model: "host", CoreID: new(uint32(0)), Entitlement: qapi.S390CPUEntitlementHigh}, `{"driver":"host-s390x-cpu","core-id":0,"entitlement":"high"}`},
	} {
		args, err := qapi.DeviceArgs(c.dev)
		require.NoError(t, err)
		text, err := json.Marshal(args)
		require.NoError(t, err)
		assert.JSONEq(t, c.want, string(text))
	}
	_, err := qapi.DeviceArgs(device.X86CPU{ID: "c1"})
	assert.EqualError(t, err, "qapi: device: device.X86CPU has no driver")
}

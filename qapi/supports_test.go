package qapi_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// TestSupportsAsksOnce checks that each list is asked for only once.
func TestSupportsAsksOnce(t *testing.T) {
	srv, c := dialFake(t)
	qmptest.Handle(srv, srv.Commands.QueryMachines, func(context.Context, ...qapi.QueryMachinesArgs) ([]qapi.MachineInfo, error) {
		return []qapi.MachineInfo{{Name: "pc-q35-11.1", Alias: new("q35"), DefaultCPUType: new("x"), DefaultRAMID: new("pc.ram")}}, nil
	})
	asked := 0
	qmptest.Handle(srv, srv.Commands.QOMListProperties,
		func(_ context.Context, args qapi.QOMListPropertiesArgs) ([]qapi.ObjectPropertyInfo, error) {
			asked++
			assert.Equal(t, "pc-q35-11.1-machine", args.Typename)
			return []qapi.ObjectPropertyInfo{{Name: "cxl", Type: "bool"}}, nil
		})
	for path, want := range map[string]bool{
		"machine q35": true, "machine pc-q35-11.1": true, "machine pc": false, "machine ": false,
		"machine q35/cxl": true, "machine pc-q35-11.1/cxl": true, "machine q35/none": false, "machine pc/cxl": false,
		"query-status": true, "query-none": false, "event STOP": true, "blockdev-add/driver=qcow2": true, "cpus": false,
	} {
		got, err := qapi.Supports(t.Context(), c, path)
		require.NoError(t, err, path)
		assert.Equal(t, want, got, path)
	}
	counts := map[string]int{}
	for _, call := range srv.Calls() {
		counts[call.Command]++
	}
	assert.Equal(t, map[string]int{"query-machines": 1, "qom-list-properties": 1, "query-qmp-schema": 1}, counts)
	assert.Equal(t, 1, asked)

	qmptest.Handle(srv, srv.Commands.QueryCPUDefinitions, func(context.Context) ([]qapi.CPUDefinitionInfo, error) {
		return nil, &qmp.Error{Class: qmp.ClassCommandNotFound, Desc: "not on this target"}
	})
	_, err := qapi.Supports(t.Context(), c, "cpu EPYC")
	assert.True(t, qapi.IsUnsupported(err), "%v", err)
}

func TestQEMUHas(t *testing.T) {
	since := map[string][2]int{ // 99: never
		"device virtio-blk-pci":                     {5, 2},
		"device virtio-blk-pci/drive":               {5, 2},
		"device virtio-blk-pci/iothread-vq-mapping": {9, 0},
		"device virtio-blk-pci/none":                {99, 0},
		"device none":                               {99, 0},
		"device none/drive":                         {99, 0},
		"device pci-device":                         {99, 0},
		"device iothread":                           {99, 0},
		"object iothread":                           {5, 2},
		"object iothread/poll-max-ns":               {5, 2},
		"object iothread/thread-pool-max":           {7, 1},
		"object virtio-blk-pci":                     {99, 0},
		"machine q35":                               {5, 2},
		"machine pc-q35-5.2":                        {5, 2},
		"machine pc-q35-7.2":                        {7, 2},
		"machine q35/smm":                           {5, 2},
		"machine q35/cxl":                           {7, 1},
		"machine virt":                              {99, 0},
		"cpu EPYC":                                  {5, 2},
		"cpu EPYC/avx2":                             {5, 2},
		"cpu EPYC-Genoa":                            {8, 1},
		"cpu none":                                  {99, 0},
		"blockdev-reopen":                           {6, 1},
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", "-machine", "q35"))
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		for path, from := range since {
			got, err := qapi.Supports(t.Context(), c, path)
			require.NoError(t, err, path)
			assert.Equal(t, conn.Greeting().Version.AtLeast(from[0], from[1]), got, path)
		}
		smm, err := qapi.QOMGetAs[string](t.Context(), c, "/machine", "smm")
		require.NoError(t, err)
		assert.Equal(t, "auto", smm)
		_, err = qapi.QOMGetAs[int](t.Context(), c, "/machine", "smm")
		assert.ErrorContains(t, err, "qom-get")
	})
}

// TestSupportsAsksNothingDangerous checks that a server is not asked a question that can end it.
func TestSupportsAsksNothingDangerous(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Release("7.2"))
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	_, err = qapi.Supports(t.Context(), qapi.NewClient(conn), "device virtio-gpu-gl-pci/xres")
	require.ErrorContains(t, err, "QEMU 7.2 can end when it is asked for the properties of virtio-gpu-gl-pci")
	require.Zero(t, srv.Count("device-list-properties"))
	require.NoError(t, conn.Close())
}

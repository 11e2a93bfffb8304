package qapi_test

import (
	"context"
	"fmt"
	"log"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// connect returns a client of a fake QEMU that accepts the given commands, so that the
// examples run anywhere. A program calls [qapi.Dial].
func connect(commands ...string) (*qapi.Client, *qmptest.Server, func()) {
	srv := qmptest.New()
	for _, command := range commands {
		srv.Reply(command)
	}
	conn, err := srv.Dial(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	return qapi.NewClient(conn), srv, func() {
		conn.Close()
		if err := srv.Close(); err != nil {
			log.Fatal(err)
		}
	}
}

// sent prints the commands that the server has received.
func sent(srv *qmptest.Server) {
	for _, call := range srv.Calls() {
		fmt.Printf("%s %s\n", call.Command, call.Arguments)
	}
}

// A disk is a block node, and a device that uses it.
func ExampleClient_BlockdevAdd() {
	ctx := context.Background()
	c, srv, done := connect("blockdev-add", "device_add")
	defer done()

	if err := c.BlockdevAdd(ctx, qapi.BlockdevOptions{
		NodeName: new("disk0"),
		Driver: qapi.BlockdevOptionsQcow2{
			File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "vm.qcow2"}},
		},
	}); err != nil {
		log.Fatal(err)
	}
	if err := c.DeviceAdd(ctx, device.VirtioBlkPCI{ID: "vd0", Drive: "disk0"}); err != nil {
		log.Fatal(err)
	}
	sent(srv)
	// Output:
	// blockdev-add {"driver":"qcow2","node-name":"disk0","file":{"driver":"file","filename":"vm.qcow2"}}
	// device_add {"driver":"virtio-blk-pci","id":"vd0","drive":"disk0"}
}

// A network card is a backend, and a device that uses it.
func ExampleClient_NetdevAdd() {
	ctx := context.Background()
	c, srv, done := connect("netdev_add", "device_add")
	defer done()

	if err := c.NetdevAdd(ctx, qapi.Netdev{ID: "net0", Type: qapi.NetdevUser{Hostname: new("guest")}}); err != nil {
		log.Fatal(err)
	}
	if err := c.DeviceAdd(ctx, device.VirtioNetPCI{ID: "nic0", Netdev: "net0"}); err != nil {
		log.Fatal(err)
	}
	sent(srv)
	// Output:
	// netdev_add {"id":"net0","type":"user","hostname":"guest"}
	// device_add {"driver":"virtio-net-pci","id":"nic0","netdev":"net0"}
}

// Snapshots of several disks at the same moment are one transaction.
func ExampleClient_Transaction() {
	ctx := context.Background()
	c, srv, done := connect("transaction")
	defer done()

	var actions []qapi.TransactionAction
	for _, disk := range []string{"disk0", "disk1"} {
		actions = append(actions, qapi.TransactionAction{Type: qapi.TransactionActionBlockdevSnapshot{
			Node: disk, Overlay: disk + "-overlay",
		}})
	}
	if err := c.Transaction(ctx, qapi.TransactionArgs{Actions: actions}); err != nil {
		log.Fatal(err)
	}
	sent(srv)
	// Output:
	// transaction {"actions":[{"type":"blockdev-snapshot","data":{"node":"disk0","overlay":"disk0-overlay"}},{"type":"blockdev-snapshot","data":{"node":"disk1","overlay":"disk1-overlay"}}]}
}

// Migration goes to a socket, a command or a file.
func ExampleClient_Migrate() {
	ctx := context.Background()
	c, srv, done := connect("migrate")
	defer done()

	if err := c.Migrate(ctx, qapi.MigrateArgs{Channels: []qapi.MigrationChannel{{
		ChannelType: qapi.MigrationChannelTypeMain,
		Addr: qapi.MigrationAddress{Transport: qapi.MigrationAddressSocket{
			Type: qapi.SocketAddressInet{Host: "host2", Port: "4444"},
		}},
	}}}); err != nil {
		log.Fatal(err)
	}
	sent(srv)
	// Output:
	// migrate {"channels":[{"channel-type":"main","addr":{"transport":"socket","type":"inet","host":"host2","port":"4444"}}]}
}

// A character device has a backend, whose variant says what kind it is.
func ExampleClient_ChardevAdd() {
	ctx := context.Background()
	c, srv, done := connect()
	defer done()
	srv.Reply("chardev-add", qapi.ChardevReturn{})

	if _, err := c.ChardevAdd(ctx, qapi.ChardevAddArgs{
		ID: "serial0",
		Backend: qapi.ChardevBackend{Type: qapi.ChardevBackendSocket{
			Addr:   qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: "/run/vm/serial"}},
			Server: new(true), Wait: new(false),
		}},
	}); err != nil {
		log.Fatal(err)
	}
	sent(srv)
	// Output:
	// chardev-add {"id":"serial0","backend":{"type":"socket","data":{"addr":{"type":"unix","data":{"path":"/run/vm/serial"}},"server":true,"wait":false}}}
}

// A type switch distinguishes the variants that a server sends. The length of a job
// with nothing to do is 0.
func ExampleClient_QueryBlockJobs() {
	ctx := context.Background()
	c, srv, done := connect()
	defer done()
	srv.Reply("query-block-jobs", []qapi.BlockJobInfo{
		{
			Device: "job0", Len: 100, Offset: 42, Type: qapi.BlockJobInfoMirror{ActivelySynced: true},
			Status: qapi.JobStatusRunning, IOStatus: qapi.BlockDeviceIOStatusOk,
		},
		{
			Device: "job1", Len: 100, Offset: 7, Type: qapi.BlockJobInfoCommit{},
			Status: qapi.JobStatusRunning, IOStatus: qapi.BlockDeviceIOStatusOk,
		},
		{
			Device: "job2", Type: qapi.BlockJobInfoStream{},
			Status: qapi.JobStatusConcluded, IOStatus: qapi.BlockDeviceIOStatusOk,
		},
	})

	jobs, err := c.QueryBlockJobs(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, job := range jobs {
		percent := 100 * job.Offset / max(job.Len, 1)
		switch j := job.Type.(type) {
		case qapi.BlockJobInfoMirror:
			fmt.Printf("%s mirrors, %d %%, in sync: %t\n", job.Device, percent, j.ActivelySynced)
		default:
			fmt.Printf("%s: %s, %d %%, %s\n", job.Device, j.JobType(), percent, job.Status)
		}
	}
	// Output:
	// job0 mirrors, 42 %, in sync: true
	// job1: commit, 7 %, running
	// job2: stream, 0 %, concluded
}

// A device that has no type of its own, or that is not known until the program runs, is
// given with the names that QEMU has for its properties.
func ExampleDeviceAddArgs() {
	ctx := context.Background()
	c, srv, done := connect("device_add")
	defer done()

	if err := c.DeviceAdd(ctx, qapi.DeviceAddArgs{
		Driver: "virtio-blk-pci-transitional", ID: new("vd0"),
		Props: map[string]any{"drive": "disk0", "x-pcie-lnksta-dllla": false},
	}); err != nil {
		log.Fatal(err)
	}
	sent(srv)
	// Output:
	// device_add {"driver":"virtio-blk-pci-transitional","id":"vd0","drive":"disk0","x-pcie-lnksta-dllla":false}
}

// Ask the server what it can do.
func ExampleIntrospect() {
	ctx := context.Background()
	c, srv, done := connect()
	defer done()
	srv.Reply("query-qmp-schema", []qapi.SchemaInfo{
		{Name: "migrate", MetaType: qapi.SchemaInfoCommand{ArgType: "1", RetType: "0"}},
		{Name: "1", MetaType: qapi.SchemaInfoObject{Members: []qapi.SchemaInfoObjectMember{{Name: "uri", Type: "str"}}}},
	})

	caps, err := qapi.Introspect(ctx, c)
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"migrate/uri", "migrate/channels", "event BLOCK_IO_ERROR"} {
		fmt.Println(path, caps.Supports(path))
	}
	// Output:
	// migrate/uri true
	// migrate/channels false
	// event BLOCK_IO_ERROR false
}

// A subscription starts at once, so that no event is missed between a command and the
// wait for its event.
func ExampleSubscribe() {
	ctx := context.Background()
	c, srv, done := connect()
	defer done()
	srv.Handle("stop", func(context.Context, *qmptest.Request) (any, error) {
		srv.Emit(qapi.StopEvent{})
		return nil, nil
	})

	stops := qapi.Subscribe[qapi.StopEvent](c)
	defer stops.Close()
	if err := c.Stop(ctx); err != nil {
		log.Fatal(err)
	}
	event, err := stops.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(event.EventName())
	// Output: STOP
}

// A job is started, followed by its events until it has ended, asked for its error, and dismissed.
func ExampleClient_BlockdevCreate() {
	ctx := context.Background()
	c, srv, done := connect("job-dismiss")
	defer done()
	srv.Reply("query-jobs", []qapi.JobInfo{{ID: "create0", Type: qapi.JobTypeCreate, Status: qapi.JobStatusConcluded}})
	srv.Handle("blockdev-create", func(context.Context, *qmptest.Request) (any, error) {
		for _, status := range []qapi.JobStatus{qapi.JobStatusRunning, qapi.JobStatusConcluded} {
			srv.Emit(qapi.JobStatusChangeEvent{ID: "create0", Status: status})
		}
		return nil, nil
	})

	changes := qapi.Subscribe[qapi.JobStatusChangeEvent](c)
	defer changes.Close()
	if err := c.BlockdevCreate(ctx, qapi.BlockdevCreateArgs{
		JobID: "create0",
		Options: qapi.BlockdevCreateOptions{
			Driver: qapi.BlockdevCreateOptionsQcow2{File: qapi.Str("node0"), Size: 10 << 30},
		},
	}); err != nil {
		log.Fatal(err)
	}
	if _, err := changes.Find(ctx, func(e qapi.JobStatusChangeEvent) bool {
		return e.ID == "create0" && e.Status == qapi.JobStatusConcluded
	}); err != nil {
		log.Fatal(err)
	}
	jobs, err := c.QueryJobs(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, job := range jobs {
		fmt.Println(job.ID, job.Status, job.Error == nil)
	}
	if err := c.JobDismiss(ctx, qapi.JobDismissArgs{ID: "create0"}); err != nil {
		log.Fatal(err)
	}
	// Output: create0 concluded true
}

// The medium of a drive is changed in one step.
func ExampleClient_BlockdevChangeMedium() {
	ctx := context.Background()
	c, srv, done := connect("blockdev-change-medium")
	defer done()

	if err := c.BlockdevChangeMedium(ctx, qapi.BlockdevChangeMediumArgs{
		ID: new("cd0"), Filename: "install.iso", Format: new("raw"),
		ReadOnlyMode: new(qapi.BlockdevChangeReadOnlyModeReadOnly),
	}); err != nil {
		log.Fatal(err)
	}
	sent(srv)
	// Output:
	// blockdev-change-medium {"id":"cd0","filename":"install.iso","format":"raw","read-only-mode":"read-only"}
}

// Memory is an object, and a device that uses it.
func ExampleClient_ObjectAdd() {
	ctx := context.Background()
	c, srv, done := connect("object-add", "device_add")
	defer done()

	if err := c.ObjectAdd(ctx, qapi.ObjectOptions{
		ID: "mem1", QOMType: qapi.ObjectOptionsMemoryBackendRAM{Size: 1 << 30},
	}); err != nil {
		log.Fatal(err)
	}
	if err := c.DeviceAdd(ctx, device.PcDimm{ID: "dimm1", Memdev: "mem1"}); err != nil {
		log.Fatal(err)
	}
	sent(srv)
	// Output:
	// object-add {"qom-type":"memory-backend-ram","id":"mem1","size":1073741824}
	// device_add {"driver":"pc-dimm","id":"dimm1","memdev":"mem1"}
}

// Handlers run on workers of the connection, one event at a time.
func ExampleClient_OnBlockIOError() {
	c, srv, done := connect()
	defer done()

	seen := make(chan string)
	stop := c.OnBlockIOError(func(e qapi.BlockIOErrorEvent) {
		seen <- fmt.Sprintf("%s of %s: %s", e.Operation, *e.NodeName, e.Reason)
	})
	defer stop()
	srv.Emit(qapi.BlockIOErrorEvent{
		NodeName: new("disk0"), Operation: qapi.IOOperationTypeWrite, Action: qapi.BlockErrorActionStop,
		Reason: "No space left on device",
	})
	fmt.Println(<-seen)
	// Output: write of disk0: No space left on device
}

package main

import (
	"context"
	"sync"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// startFake starts a server that plays the part of QEMU in this program.
func startFake() (*server, error) {
	srv := qmptest.New()
	f := &fake{srv: srv, plugged: map[string]string{}}
	for command, handle := range map[string]qmptest.Handler{
		"query-status":            f.queryStatus,
		"blockdev-create":         f.blockdevCreate,
		"query-jobs":              f.queryJobs,
		"job-dismiss":             nothing,
		"blockdev-add":            f.blockdevAdd,
		"blockdev-del":            nothing,
		"query-named-block-nodes": f.queryNodes,
		"device_add":              f.deviceAdd,
		"device_del":              f.deviceDel,
		"netdev_add":              nothing,
		"object-add":              nothing,
		"chardev-add":             nothing,
		"blockdev-open-tray":      f.openTray,
		"cont":                    f.cont,
		"stop":                    f.stop,
	} {
		srv.Handle(command, handle)
	}
	return &server{
		what: "There is no QEMU here (set QEMU=… or put qemu-system-x86_64 on PATH): driving the fake server",
		conn: srv.Pipe(),
		wait: srv.Close,
		kill: func() { srv.Close() },
	}, nil
}

// A fake is as much of a machine as this program can tell from a real one.
type fake struct {
	srv *qmptest.Server

	mu      sync.Mutex
	nodes   []qapi.BlockDeviceInfo
	plugged map[string]string // the block node of each device
	job     string
}

func nothing(context.Context, *qmptest.Request) (any, error) { return nil, nil }

func (f *fake) queryStatus(context.Context, *qmptest.Request) (any, error) {
	return qapi.StatusInfo{Status: qapi.RunStatePrelaunch}, nil
}

func (f *fake) blockdevCreate(_ context.Context, req *qmptest.Request) (any, error) {
	var args qapi.BlockdevCreateArgs
	if err := req.Decode(&args); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.job = args.JobID
	for _, status := range []qapi.JobStatus{qapi.JobStatusRunning, qapi.JobStatusConcluded} {
		f.srv.Emit(qapi.JobStatusChangeEvent{ID: args.JobID, Status: status})
	}
	return nil, nil
}

func (f *fake) queryJobs(context.Context, *qmptest.Request) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []qapi.JobInfo{{ID: f.job, Type: qapi.JobTypeCreate, Status: qapi.JobStatusConcluded}}, nil
}

func (f *fake) blockdevAdd(_ context.Context, req *qmptest.Request) (any, error) {
	var node qapi.BlockdevOptions
	if err := req.Decode(&node); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	info := qapi.BlockDeviceInfo{
		NodeName: *node.NodeName, Drv: string(node.Driver.BlockdevDriver()),
		DetectZeroes: qapi.BlockdevDetectZeroesOptionsOff,
	}
	info.Image.VirtualSize = 16 << 20
	f.nodes = append(f.nodes, info)
	return nil, nil
}

func (f *fake) queryNodes(context.Context, *qmptest.Request) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.nodes, nil
}

func (f *fake) deviceAdd(_ context.Context, req *qmptest.Request) (any, error) {
	var args qapi.DeviceAddArgs
	if err := req.Decode(&args); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	node, _ := args.Props["drive"].(string)
	f.plugged[*args.ID] = node
	return nil, nil
}

func (f *fake) deviceDel(_ context.Context, req *qmptest.Request) (any, error) {
	var args qapi.DeviceDelArgs
	if err := req.Decode(&args); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.plugged, args.ID)
	req.After(func() {
		f.srv.Emit(qapi.DeviceDeletedEvent{Device: &args.ID, Path: "/machine/peripheral/" + args.ID})
	})
	return nil, nil
}

func (f *fake) openTray(_ context.Context, req *qmptest.Request) (any, error) {
	var args qapi.BlockdevOpenTrayArgs
	if err := req.Decode(&args); err != nil {
		return nil, err
	}
	f.srv.Emit(qapi.DeviceTrayMovedEvent{ID: *args.ID, TrayOpen: true})
	return nil, nil
}

// cont lets the machine run; if a bad disk is plugged in, not for long.
func (f *fake) cont(_ context.Context, req *qmptest.Request) (any, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.srv.Emit(qapi.ResumeEvent{})
	for _, node := range f.plugged {
		if node == "bad" {
			req.After(func() {
				f.srv.Emit(qapi.BlockIOErrorEvent{
					NodeName:  new("bad"),
					Operation: qapi.IOOperationTypeRead,
					Action:    qapi.BlockErrorActionStop,
					Reason:    "Input/output error",
				})
				f.srv.Emit(qapi.StopEvent{})
			})
		}
	}
	return nil, nil
}

func (f *fake) stop(context.Context, *qmptest.Request) (any, error) {
	f.srv.Emit(qapi.StopEvent{})
	return nil, nil
}

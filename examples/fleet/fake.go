package main

import (
	"context"
	"fmt"
	"io"

	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

// A fakeHost is a libvirt whose domains are fakes.
type fakeHost struct {
	*libvirttest.Daemon
	vms []*qmptest.Server
}

func newFakeHost(domains int) (*fakeHost, error) {
	h := &fakeHost{Daemon: libvirttest.New()}
	for i := range domains {
		vm := qmptest.New()
		h.vms = append(h.vms, vm)
		if err := h.Run(fmt.Sprint("vm", i), vm, nil); err != nil {
			return h, err
		}
	}
	return h, nil
}

func (h *fakeHost) close() {
	h.Close()
	for _, vm := range h.vms {
		_ = vm.Close() // its error is for tests
	}
}

// runFakes follows fake hosts: all connections are lost, then the first domain of each host is
// paused and the last one stopped.
func runFakes(ctx context.Context, out io.Writer) error {
	const hosts, domains = 50, 4
	f := newFleet()
	defer f.close()
	var fakes []*fakeHost
	for i := range hosts {
		h, err := newFakeHost(domains)
		defer h.close()
		if err != nil {
			return err
		}
		fakes = append(fakes, h)
		f.add(fmt.Sprintf("host%02d", i), "qemu:///system", libvirt.WithDialer(h.Dial))
	}
	if err := play(ctx, f, fakes); err != nil {
		return err
	}
	return print(out, f.table())
}

func play(ctx context.Context, f *fleet, fakes []*fakeHost) error {
	running := func(r row) bool { return r.states[libvirt.StateRunning] > 0 }
	if err := f.await(ctx, running); err != nil {
		return err
	}
	for _, h := range fakes {
		h.Cut()
	}
	if err := f.await(ctx, func(r row) bool { return r.lost > 0 }); err != nil {
		return err
	}
	for _, h := range fakes {
		if err := disturb(ctx, h); err != nil {
			return err
		}
	}
	return f.await(ctx, func(r row) bool {
		return r.states[libvirt.StatePaused] == 1 && r.states[libvirt.StateShutOff] == 1
	})
}

// disturb pauses the first domain of a host, and stops the last.
func disturb(ctx context.Context, h *fakeHost) error {
	conn, err := h.vms[0].Dial(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, command := range []string{"cont", "stop"} {
		if err := conn.Execute(ctx, command, nil, nil); err != nil {
			return err
		}
	}
	h.Stop(fmt.Sprint("vm", len(h.vms)-1))
	return nil
}

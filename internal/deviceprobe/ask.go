package deviceprobe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema/devices"
)

// questionTime is how long QEMU may take for one answer. Usually it takes a millisecond.
const questionTime = 30 * time.Second

// Ask starts a QEMU binary, such as qemu-system-x86_64, without a machine, asks it for its
// devices, and ends it. A QEMU that ends when it is asked for the properties of a device is started again;
// the report names such devices. When ctx ends Ask returns its error, and no process is left.
func Ask(ctx context.Context, path string) (*devices.List, Report, error) {
	a := &asker{path: path}
	defer a.stop()
	b, err := a.ask(ctx)
	if err != nil {
		return nil, Report{}, fmt.Errorf("ask %s for its devices: %w", path, err)
	}
	return b.list()
}

// An asker has the process that is asked.
type asker struct {
	path    string
	process *qmp.Process
	client  *qapi.Client
}

// start starts a QEMU if none runs.
func (a *asker) start(ctx context.Context) error {
	if a.process != nil {
		return nil
	}
	// The answers do not depend on the machine.
	cmd := exec.Command(a.path, "-machine", "none", "-S", "-nodefaults", "-no-user-config", "-display", "none", "-qmp", "stdio")
	p, err := qmp.Start(ctx, cmd)
	if err != nil {
		return err
	}
	a.process, a.client = p, qapi.NewClient(p.Conn)
	return nil
}

// stop ends the process, if one runs.
func (a *asker) stop() {
	if a.process != nil {
		_ = a.process.Close() // it ended, or it was killed
		a.process, a.client = nil, nil
	}
}

func (a *asker) ask(ctx context.Context) (*binary, error) {
	if err := a.start(ctx); err != nil {
		return nil, err
	}
	version, err := a.client.QueryVersion(ctx)
	if err != nil {
		return nil, err
	}
	target, err := a.client.QueryTarget(ctx)
	if err != nil {
		return nil, err
	}
	v := version.QEMU
	b := &binary{Version: fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Micro), Target: string(target.Arch)}
	if b.Devices, err = a.types(ctx); err != nil {
		return nil, err
	}
	cpus := 0 // how many models have answered
	for _, d := range b.order() {
		if !d.propsCount() || d.isCPU() && cpus > 0 {
			continue
		}
		if err := a.askProps(ctx, d); err != nil {
			return nil, err
		}
		if d.isCPU() && d.Crash == "" {
			cpus++
		}
	}
	return b, nil
}

// types asks for the types of devices, and for what info qdm says about them.
func (a *asker) types(ctx context.Context) ([]asked, error) {
	infos, err := a.client.QOMListTypes(ctx, qapi.QOMListTypesArgs{Implements: new("device"), Abstract: new(true)})
	if err != nil {
		return nil, err
	}
	text, err := a.client.HumanMonitorCommand(ctx, qapi.HumanMonitorCommandArgs{CommandLine: "info qdm"})
	if err != nil {
		return nil, err
	}
	models := parseQDM(text)
	parents := map[string]string{}
	for _, info := range infos {
		parents[info.Name] = value(info.Parent)
	}
	var types []asked
	for _, info := range infos {
		if value(info.Abstract) {
			continue
		}
		m, listed := models[info.Name]
		if m.Name = info.Name; !listed {
			m.NoUser = true
		}
		for name := parents[info.Name]; name != ""; name = parents[name] {
			m.Parents = append(m.Parents, name)
		}
		types = append(types, m)
	}
	slices.SortFunc(types, func(a, b asked) int { return cmp.Compare(a.Name, b.Name) })
	return types, nil
}

// order returns the order in which devices are asked for: a CPU model that has all features is before the
// others.
func (b *binary) order() []*asked {
	var list []*asked
	for i := range b.Devices {
		list = append(list, &b.Devices[i])
	}
	first := slices.IndexFunc(list, func(d *asked) bool { return d.isCPU() && strings.HasPrefix(d.Name, "max-") })
	if first >= 0 {
		list[0], list[first] = list[first], list[0]
	}
	return list
}

// askProps asks for the properties of a device. If QEMU does not list them, or ends, that is not an error.
func (a *asker) askProps(ctx context.Context, d *asked) error {
	if err := a.start(ctx); err != nil {
		return err
	}
	question, cancel := context.WithTimeout(ctx, questionTime)
	defer cancel()
	infos, err := a.client.DeviceListProperties(question, qapi.DeviceListPropertiesArgs{Typename: d.Name})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		d.Crash = err.Error()
		if _, answered := errors.AsType[*qmp.Error](err); !answered {
			a.stop()
		}
		return nil
	}
	for _, info := range infos {
		d.Props = append(d.Props, property{info.Name, info.Type, value(info.Description), info.DefaultValue})
	}
	return nil
}

// value returns what p points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

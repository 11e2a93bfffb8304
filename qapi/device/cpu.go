package device

import (
	"fmt"
	"maps"
	"strings"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qapi"
)

// X86CPU is a virtual processor of an x86_64 machine that is plugged in.
//
// [qapi.Client.QueryHotpluggableCPUs] returns which ones can be plugged in, and where;
// [qapi.HotpluggableCPU.Device] makes a device of one of them. The model is the one that the
// machine was started with.
//
// QEMU: devices such as qemu64-x86_64-cpu
type X86CPU struct {
	// The id by which it is unplugged.
	ID string `json:"id,omitzero"`
	// The model, such as "host", "qemu64" or "Skylake-Server-v4".
	Model string `json:"model,omitzero"`
	// The number of its socket, from [qapi.HotpluggableCPU].
	SocketID *int32 `json:"socket-id,omitzero"`
	// The number of its die in the socket, from [qapi.HotpluggableCPU].
	DieID *int32 `json:"die-id,omitzero"`
	// The number of its module in the die, from [qapi.HotpluggableCPU]. In QEMU 10.0 and newer, not in 7.2.
	ModuleID *int32 `json:"module-id,omitzero"`
	// The number of its core, from [qapi.HotpluggableCPU].
	CoreID *int32 `json:"core-id,omitzero"`
	// The number of its thread in the core, from [qapi.HotpluggableCPU].
	ThreadID *int32 `json:"thread-id,omitzero"`
	// Its NUMA node, which must be that of [qapi.HotpluggableCPU].
	NodeID *int32 `json:"node-id,omitzero"`
	// Features turns features of the model on and off, such as "avx2".
	Features map[string]bool `json:"features,omitzero"`
	// Props are further properties, by their names in QEMU; nil ones are left out.
	Props map[string]any `json:"props,omitzero"`
}

// ARMCPU is a virtual processor of an aarch64 machine.
//
// QEMU: devices such as cortex-a57-arm-cpu
type ARMCPU struct {
	// The id by which events refer to it.
	ID string `json:"id,omitzero"`
	// The model, such as "host", "max" or "cortex-a57".
	Model string `json:"model,omitzero"`
	// The number by which the processor is addressed, as in its register MPIDR.
	MPAffinity *uint64 `json:"mp-affinity,omitzero"`
	// The NUMA node.
	NodeID *int32 `json:"node-id,omitzero"`
	// Features turns features of the model on and off, such as "sve".
	Features map[string]bool `json:"features,omitzero"`
	// Props are further properties, by their names in QEMU; nil ones are left out.
	Props map[string]any `json:"props,omitzero"`
}

// S390XCPU is a virtual processor of an s390x machine that is plugged in.
//
// QEMU: devices such as qemu-s390x-cpu
type S390XCPU struct {
	// The id by which events refer to it. It cannot be unplugged.
	ID string `json:"id,omitzero"`
	// The model, such as "host", "qemu" or "z14".
	Model string `json:"model,omitzero"`
	// The number of its core, which is its address, from [qapi.HotpluggableCPU].
	CoreID *uint32 `json:"core-id,omitzero"`
	// The number of its socket. In QEMU 10.0 and newer, not in 7.2.
	SocketID *int32 `json:"socket-id,omitzero"`
	// The number of its book, which has the socket. In QEMU 10.0 and newer, not in 7.2.
	BookID *int32 `json:"book-id,omitzero"`
	// The number of its drawer, which has the book. In QEMU 10.0 and newer, not in 7.2.
	DrawerID *int32 `json:"drawer-id,omitzero"`
	// How much of a host processor the guest believes it gets, if processors get unequal shares.
	// In QEMU 10.0 and newer, not in 7.2.
	Entitlement qapi.S390CPUEntitlement `json:"entitlement,omitzero"`
	// Says to the guest that it has a host processor to itself. In QEMU 10.0 and newer, not in 7.2.
	Dedicated *bool `json:"dedicated,omitzero"`
	// Features turns features of the model on and off, such as "vx".
	Features map[string]bool `json:"features,omitzero"`
	// Props are further properties, by their names in QEMU; nil ones are left out.
	Props map[string]any `json:"props,omitzero"`
}

// The endings of the names of processor types.
const (
	x86Driver   = "-x86_64-cpu"
	armDriver   = "-arm-cpu"
	s390xDriver = "-s390x-cpu"
)

// DeviceDriver returns the type of the model, such as qemu64-x86_64-cpu; "" without a model.
func (x X86CPU) DeviceDriver() string { return cpuDriver(x.Model, x86Driver) }

// DeviceDriver returns the type of the model, such as cortex-a57-arm-cpu; "" without a model.
func (x ARMCPU) DeviceDriver() string { return cpuDriver(x.Model, armDriver) }

// DeviceDriver returns the type of the model, such as qemu-s390x-cpu; "" without a model.
func (x S390XCPU) DeviceDriver() string { return cpuDriver(x.Model, s390xDriver) }

func cpuDriver(model, suffix string) string {
	if model == "" {
		return ""
	}
	return model + suffix
}

// DeviceProperties returns what is sent in addition to the driver.
func (x X86CPU) DeviceProperties() any {
	x.Model, x.Features, x.Props = "", nil, withFeatures(x.Props, x.Features)
	return x
}

// DeviceProperties returns what is sent in addition to the driver.
func (x ARMCPU) DeviceProperties() any {
	x.Model, x.Features, x.Props = "", nil, withFeatures(x.Props, x.Features)
	return x
}

// DeviceProperties returns what is sent in addition to the driver.
func (x S390XCPU) DeviceProperties() any {
	x.Model, x.Features, x.Props = "", nil, withFeatures(x.Props, x.Features)
	return x
}

// withFeatures returns the properties and the features. If both have a name, the feature counts.
func withFeatures(props map[string]any, features map[string]bool) map[string]any {
	if len(features) == 0 {
		return props
	}
	all := make(map[string]any, len(props)+len(features))
	maps.Copy(all, props)
	for name, on := range features {
		all[name] = on
	}
	return all
}

// A modelled device has types that depend on its model.
type modelled interface{ setDriver(driver string) error }

func (x *X86CPU) setDriver(driver string) error   { return setModel(&x.Model, driver, x86Driver) }
func (x *ARMCPU) setDriver(driver string) error   { return setModel(&x.Model, driver, armDriver) }
func (x *S390XCPU) setDriver(driver string) error { return setModel(&x.Model, driver, s390xDriver) }

func setModel(model *string, driver, suffix string) error {
	name, ok := strings.CutSuffix(driver, suffix)
	if !ok {
		return fmt.Errorf("it is a %s, whose type does not end in %s", printable.String(driver), suffix)
	}
	*model = name
	return nil
}

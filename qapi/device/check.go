package device

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/bind"
	"github.com/goqapi/goqapi/qmp/codec"
)

// A PropertyError is what [Check] has found to be wrong with a property of a device.
type PropertyError struct {
	Driver   string // the type of the device
	Property string
	Nearest  string      // the most similar name, if the device does not have the property
	Reason   string      // what is wrong with its value; empty if the device does not have it
	Server   qmp.Version // of the server that was asked
}

// Error returns what is wrong, with the name of the property.
func (e *PropertyError) Error() string {
	text := fmt.Sprintf("device: %s of QEMU %s", printable.String(e.Driver), versionText(e.Server))
	if e.Reason != "" {
		return fmt.Sprintf("%s: property '%s' %s", text, printable.String(e.Property), e.Reason)
	}
	return fmt.Sprintf("%s has no property '%s'%s", text, printable.String(e.Property), instead(e.Nearest))
}

// A TypeError is what [Check] has found to be wrong with the type of a device.
type TypeError struct {
	Driver  string
	Nearest string      // the most similar name, if there is no such type
	Reason  string      // why there can be no device of the type; empty if there is no such type
	Server  qmp.Version // of the server that was asked
}

// Error returns what is wrong with the type.
func (e *TypeError) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("device: %s of QEMU %s %s", printable.String(e.Driver), versionText(e.Server), e.Reason)
	}
	return fmt.Sprintf("device: QEMU %s has no device '%s'%s", versionText(e.Server), printable.String(e.Driver), instead(e.Nearest))
}

func instead(nearest string) string {
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean '%s'?", printable.String(nearest))
}

func versionText(v qmp.Version) string { return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Micro) }

// Check asks the server whether it would take a device, and returns what is wrong with it: a
// type or a property that the server does not have, or a value of another kind than it takes.
// It also finds values that releases before 9.2 drop without an error, such as lists, and numbers
// that they understand as another PCI address. If Check returns nil, [qapi.Client.DeviceAdd] may
// still fail: Check does not look at the names of buses, disks and backends, or for a free place.
//
// The error holds a [*TypeError] or a [*PropertyError] for each fault. What a server says
// about a type is asked for once on a connection.
//
// A question about virtio-gpu-gl-pci or virtio-vga-gl ends a QEMU 7.2 that was installed without a
// certain module, so servers before 10.0 are not asked about them, and Check returns nil.
func Check(ctx context.Context, c *qapi.Client, dev qapi.Device) error {
	args, err := qapi.DeviceArgs(dev)
	if err != nil {
		return err
	}
	version, err := serverVersion(ctx, c)
	if err != nil {
		return fmt.Errorf("device: checking a %s: %w", args.Driver, err)
	}
	known, err := bind.Once(ctx, c.Conn(), func(ctx context.Context) (*catalogue, error) { return newCatalogue(ctx, c) })
	if err != nil {
		return fmt.Errorf("device: checking a %s: %w", args.Driver, err)
	}
	driver, fault := known.resolve(args.Driver)
	if fault != nil {
		fault.Server = version
		return fault
	}
	if deadly(driver, version) {
		return nil
	}
	types, err := known.properties(ctx, c, driver)
	if refused, ok := errors.AsType[*qmp.Error](err); ok && refused.Class == qmp.ClassDeviceNotFound {
		return &TypeError{Driver: args.Driver, Server: version}
	}
	if err != nil {
		return fmt.Errorf("device: checking a %s: %w", args.Driver, err)
	}
	return checkProperties(args, types, version)
}

// checkProperties returns what is wrong with the properties of a device.
func checkProperties(args qapi.DeviceAddArgs, types map[string]string, version qmp.Version) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(args.Props)) {
		fault := &PropertyError{Driver: args.Driver, Property: name, Server: version}
		typ, there := types[name]
		if there {
			text, err := codec.Marshal(args.Props[name])
			if err != nil {
				return err
			}
			fault.Reason = mismatch(name, typ, jsontext.Value(text), version)
		} else {
			fault.Nearest = nearest(name, maps.Keys(types))
		}
		if !there || fault.Reason != "" {
			faults = append(faults, fault)
		}
	}
	return errors.Join(faults...)
}

// deadly reports whether a server may end when it is asked for the properties of a type.
func deadly(driver string, v qmp.Version) bool {
	return !v.AtLeast(10, 0) && (driver == "virtio-gpu-gl-pci" || driver == "virtio-vga-gl")
}

// A catalogue holds what a server has reported about its devices so far.
type catalogue struct {
	user    map[string]bool   // whether users can create a type; nil: the server did not say
	aliases map[string]string // types by their aliases

	mu    sync.Mutex
	types map[string]map[string]string // the types of properties, by type of device
}

// newCatalogue asks a server which devices it has.
func newCatalogue(ctx context.Context, c *qapi.Client) (*catalogue, error) {
	known := &catalogue{aliases: map[string]string{}, types: map[string]map[string]string{}}
	list, err := c.HumanMonitorCommand(ctx, qapi.HumanMonitorCommandArgs{CommandLine: "info qdm"})
	if _, refused := errors.AsType[*qmp.Error](err); refused {
		return known, nil // the monitor is disabled: the list of a type's properties will show whether the type exists
	}
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(list) {
		// Such as: name "virtio-blk-pci", bus PCI, alias "virtio-blk"
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), `name "`)
		name, rest, closed := strings.Cut(rest, `"`)
		if !ok || !closed {
			continue
		}
		if known.user == nil {
			known.user = map[string]bool{}
		}
		facts, _, _ := strings.Cut(rest, `, desc "`)
		known.user[name] = !strings.HasSuffix(strings.TrimSpace(rest), ", no-user")
		if _, alias, ok := strings.Cut(facts, `, alias "`); ok {
			alias, _, _ = strings.Cut(alias, `"`)
			known.aliases[alias] = name
		}
	}
	return known, nil
}

// resolve returns the name of the type for a name that may be an alias.
func (k *catalogue) resolve(driver string) (string, *TypeError) {
	if name, ok := k.aliases[driver]; ok {
		return name, nil
	}
	user, there := k.user[driver]
	switch {
	case k.user == nil || user:
		return driver, nil
	case there:
		return "", &TypeError{Driver: driver, Reason: "is a part of machines, which users cannot create"}
	}
	return "", &TypeError{Driver: driver, Nearest: nearest(driver, maps.Keys(k.user))}
}

// properties returns the types of the properties of a type of device, by name.
func (k *catalogue) properties(ctx context.Context, c *qapi.Client, driver string) (map[string]string, error) {
	k.mu.Lock()
	types := k.types[driver]
	k.mu.Unlock()
	if types != nil {
		return types, nil
	}
	list, err := c.DeviceListProperties(ctx, qapi.DeviceListPropertiesArgs{Typename: driver})
	if err != nil {
		return nil, err
	}
	types = map[string]string{}
	for _, p := range list {
		types[p.Name] = p.Type
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.types[driver] = types
	return types, nil
}

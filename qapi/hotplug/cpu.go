package hotplug

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// ErrUnsafe is wrapped by the error for something that would crash this QEMU. Such crashes were seen on real
// QEMUs without KVM. QEMU 7.2 without KVM frees memory that it still uses when a processor is unplugged, and
// crashes at the next device_add or some time later. QEMU 10.0 and 11.1 have one thread for each place of a
// processor; a processor that was unplugged keeps its thread, and QEMU ends when there is no thread for a new
// one.
var ErrUnsafe = errors.New("QEMU would crash")

// mayUnplugCPU returns an error if a processor must not be unplugged.
func mayUnplugCPU(ctx context.Context, c *qapi.Client) error {
	info, err := ask(ctx, c, c.QueryVersion)
	if err != nil || info.QEMU.Major != 7 || info.QEMU.Minor != 2 {
		return err
	}
	if kvm, err := hasKVM(ctx, c); kvm || err != nil {
		return err
	}
	return fmt.Errorf("%w: QEMU 7.2 without KVM frees memory that it still uses when a processor is unplugged", ErrUnsafe)
}

// mayPlugCPU returns an error if a processor must not be plugged in because one was
// unplugged before. The last report of the guest shows whether one was; QEMU does not
// report how many.
func mayPlugCPU(ctx context.Context, c *qapi.Client) error {
	if kvm, err := hasKVM(ctx, c); kvm || err != nil {
		return err
	}
	slots, err := ask(ctx, c, c.QueryACPIOspmStatus)
	if refused(err) { // there is no ACPI
		return nil
	}
	if slices.ContainsFunc(slots, isEjectedCPU) {
		return fmt.Errorf("%w: without KVM it may have no thread left for another processor after one was unplugged", ErrUnsafe)
	}
	return err
}

func hasKVM(ctx context.Context, c *qapi.Client) (bool, error) {
	//lint:ignore SA1019 older releases do not have the command that replaces it
	info, err := ask(ctx, c, c.QueryKVM) //nolint:staticcheck // see above
	return info.Enabled, err
}

// SetCPUs sets how many virtual processors the machine has, at least one. To add some, it fills the first free
// places; to remove some, it empties the last ones. The machine must have been started
// with enough places (maxcpus). n is the number of processors; where one place holds several, such
// as the threads of a core, n must not leave a place half filled.
//
// If one cannot be plugged in, those that were plugged in before are unplugged again, if the guest releases them.
// Processors are unplugged as by [Unplug], with the same errors; those that the guest has released
// stay unplugged. Machines of QEMU 5.2 refuse to unplug processors. Without KVM, SetCPUs does not unplug
// processors on QEMU 7.2, and on no release plugs one in after one was unplugged: the error then wraps [ErrUnsafe].
func SetCPUs(ctx context.Context, c *qapi.Client, n int) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	places, err := cpuPlaces(ctx, c)
	if n < 1 {
		err = errors.New("a machine has at least one processor")
	}
	if err == nil {
		if have := countCPUs(places); n >= have {
			err = plugCPUs(ctx, c, places, n-have)
		} else {
			err = unplugCPUs(ctx, c, places, have-n)
		}
	}
	if err != nil {
		return fmt.Errorf("hotplug: setting %d processors: %w", n, err)
	}
	return nil
}

// cpuPlaces returns the places for processors in order; QEMU lists them in reverse.
func cpuPlaces(ctx context.Context, c *qapi.Client) ([]qapi.HotpluggableCPU, error) {
	places, err := ask(ctx, c, c.QueryHotpluggableCPUs)
	slices.Reverse(places)
	return places, err
}

func countCPUs(places []qapi.HotpluggableCPU) (n int) {
	for _, p := range places {
		if p.QOMPath != nil {
			n += int(p.VcpusCount)
		}
	}
	return n
}

// plugCPUs plugs in more processors.
func plugCPUs(ctx context.Context, c *qapi.Client, places []qapi.HotpluggableCPU, more int) error {
	var resources []resource
	for _, p := range places {
		if more > 0 && p.QOMPath == nil {
			resources = append(resources, cpuResource(c, p))
			more -= int(p.VcpusCount)
		}
	}
	switch {
	case more > 0:
		return fmt.Errorf("there is no place for %d of them", more)
	case more < 0:
		return fmt.Errorf("a place cannot be filled partly: with whole places there would be %d too many", -more)
	case len(resources) == 0:
		return nil
	}
	if err := mayPlugCPU(ctx, c); err != nil {
		return err
	}
	return addAll(ctx, c, resources...)
}

// cpuResource returns a processor that is to be plugged in at a place.
func cpuResource(c *qapi.Client, place qapi.HotpluggableCPU) resource {
	dev := place.Device(cpuID(place.Props))
	t := unplugged(c, *dev.ID)
	t.exists = func(ctx context.Context) (bool, error) { return exists(ctx, c, pathOf(*dev.ID)) }
	t.add = func(ctx context.Context) error { return c.DeviceAdd(ctx, dev) }
	return t
}

// cpuID returns the id of the processor at a place, which is made of the place's numbers.
func cpuID(place qapi.CPUInstanceProperties) string {
	id := "cpu"
	for _, n := range []*int64{
		place.DrawerID, place.BookID, place.SocketID, place.DieID, place.ClusterID, place.ModuleID, place.CoreID, place.ThreadID,
	} {
		if n != nil {
			id += fmt.Sprintf("-%d", *n)
		}
	}
	return id
}

// unplugCPUs unplugs processors, the last first.
func unplugCPUs(ctx context.Context, c *qapi.Client, places []qapi.HotpluggableCPU, less int) error {
	var ids []string
	for _, p := range slices.Backward(places) {
		if less > 0 && p.QOMPath != nil {
			ids = append(ids, strings.TrimPrefix(*p.QOMPath, peripheral))
			less -= int(p.VcpusCount)
		}
	}
	if less < 0 {
		return fmt.Errorf("a place cannot be emptied partly: with whole places there would be %d too few", -less)
	}
	for i, id := range ids {
		if err := unplug(ctx, c, id); err != nil {
			return fmt.Errorf("%w; %d of %d are gone", err, i, len(ids))
		}
	}
	return nil
}

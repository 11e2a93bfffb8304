package hotplug

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/qapi"
)

// ErrNotReleased is wrapped by the error for a device that the guest has not released in
// time. The device is still plugged in, and the guest may release it later: the request to the guest
// cannot be withdrawn.
var ErrNotReleased = errors.New("the guest has not released it")

// A RefusedError is a guest's answer that it does not release a device. The device stays plugged in. A
// guest that was busy may release it the next time.
type RefusedError struct {
	Device string // its id, or its path if it has none
	Reason string // QEMU's reason, if it gives one
}

func (e *RefusedError) Error() string {
	text := fmt.Sprintf("hotplug: the guest refuses to release %q", e.Device)
	if e.Reason != "" {
		text += ": " + printable.String(e.Reason)
	}
	return text
}

// Unplug unplugs a device and returns when it is gone: the guest has released it, and what it used can be
// removed. id is the device's id, or its QOM path if it has no id. It is not an error if there is no such
// device. If the guest does not answer, it is asked again after some time.
//
// The error is or wraps a [*RefusedError] if the guest refuses, [ErrNotReleased] if it does not answer
// before ctx ends (within 30 s if ctx has no deadline), and a [*qmp.Error] if the
// server refuses: the bus of the device may not support hot-unplug.
//
// A processor of QEMU 7.2 without KVM is not unplugged: the error wraps [ErrUnsafe].
func Unplug(ctx context.Context, c *qapi.Client, id string) error {
	ctx, cancel := limited(ctx)
	defer cancel()
	return unplug(ctx, c, id)
}

func unplug(ctx context.Context, c *qapi.Client, id string) error {
	u := newUnplugging(c, id)
	defer u.events.Close()
	err := u.run(ctx)
	if _, ok := errors.AsType[*RefusedError](err); ok || err == nil {
		return err
	}
	return fmt.Errorf("hotplug: unplugging %q: %w", id, err)
}

// firstAsked is the time after which the guest is asked a second time: a slow guest may
// notice the request late. The time doubles with each request.
const firstAsked = 8 * time.Second

// settling is how long to wait for the event about a device that has left the tree of objects: only the event
// says that the device is gone for good and its block node is free.
const settling = time.Second

// An unplugging is the state while one device is being unplugged.
type unplugging struct {
	state
	c        *qapi.Client
	id, path string
	kind     string // its type

	begun   time.Time
	asked   bool          // the guest was asked, or QEMU reports that the guest is busy with the slot
	next    time.Time     // when the guest is to be asked again
	every   time.Duration // how long the guest has to answer after that
	refused error         // the guest's refusal
	gone    bool          // an event has reported that the device is gone
}

func newUnplugging(c *qapi.Client, id string) *unplugging {
	u := &unplugging{c: c, id: id, path: pathOf(id), begun: time.Now(), every: firstAsked / 2}
	u.events = qapi.SubscribeEvents(c, []qapi.Event{
		qapi.DeviceDeletedEvent{}, qapi.DeviceUnplugGuestErrorEvent{}, memUnplugError{}, qapi.ACPIDeviceOstEvent{},
	})
	u.matters = u.record
	return u
}

// peripheral is where in the tree of objects the devices with an id are.
const peripheral = "/machine/peripheral/"

// memUnplugError is the event about memory that the guest does not release, before QEMU 9.1.
//
//lint:ignore SA1019 releases before 6.2 have no other event
type memUnplugError = qapi.MemUnplugErrorEvent //nolint:staticcheck // see above

// pathOf returns the path of a device in the tree of objects.
func pathOf(id string) string {
	if strings.HasPrefix(id, "/") {
		return id
	}
	return peripheral + id
}

func (u *unplugging) run(ctx context.Context) (err error) {
	if u.kind, err = typeOf(ctx, u.c, u.path); err != nil {
		return gone(err)
	}
	if u.isCPU() {
		if err := mayUnplugCPU(ctx, u.c); err != nil {
			return err
		}
	}
	err = u.until(ctx, func(ctx context.Context) (bool, error) {
		if u.refused != nil {
			return false, u.refused
		}
		if there, err := exists(ctx, u.c, u.path); !there {
			return err == nil, err
		}
		return false, u.request(ctx)
	})
	switch {
	case err == nil:
		return u.settle(ctx)
	case ctx.Err() != nil && u.asked:
		return fmt.Errorf("%w within %v; it is still plugged in, and may be released later: %w",
			ErrNotReleased, time.Since(u.begun).Round(time.Millisecond), poll.Error(ctx))
	}
	return err
}

func (u *unplugging) isCPU() bool { return strings.HasSuffix(u.kind, "-cpu") }

// request asks the guest, if it is time. After a connection was lost, it may ask too early, which does no harm: a
// server refuses to press the button of a slot again before the guest has answered.
func (u *unplugging) request(ctx context.Context) error {
	if !u.lost && time.Now().Before(u.next) {
		return nil
	}
	err := u.c.DeviceDel(ctx, qapi.DeviceDelArgs{ID: u.id})
	switch {
	case retry.Lost(u.c.Conn(), err):
		u.lost = true
		return nil // the next round looks for the device, and asks again if it is still there
	case isBusy(err):
		u.lost, u.asked, u.next = false, true, time.Now().Add(busyTime)
		return nil
	case qapi.IsNotFound(err): // the next round looks for the device at once
		u.interval.Reset()
	case refused(err) && !u.asked && !isAsked(err):
		return err
	case err != nil && !refused(err):
		return err
	}
	u.every *= 2
	u.lost, u.asked, u.next = false, true, time.Now().Add(u.every)
	return nil
}

// busyTime is the time after which a guest that is busy with the slot is asked again.
const busyTime = time.Second

// isBusy reports whether the server refuses because the guest is busy with the slot of the device, as it is
// for some seconds after the device was plugged in.
func isBusy(err error) bool {
	return refused(err) && strings.Contains(err.Error(), "guest is busy")
}

// isAsked reports whether the server refuses because the guest has been asked already.
func isAsked(err error) bool {
	return strings.Contains(err.Error(), "already in the process of unplug")
}

// record records what an event reports about the device, and returns whether it reports anything.
func (u *unplugging) record(e qapi.Event) bool {
	switch e := e.(type) {
	case qapi.DeviceDeletedEvent:
		u.gone = u.gone || e.Path == u.path
		return e.Path == u.path
	case qapi.DeviceUnplugGuestErrorEvent:
		return e.Path == u.path && u.refuse("")
	case memUnplugError:
		return e.Device == u.id && u.refuse(e.Msg)
	case qapi.ACPIDeviceOstEvent:
		reason := ejection(e.Info)
		return qapi.Value(e.Info.Device) == u.id && reason != "" && u.refuse(reason)
	}
	return false
}

func (u *unplugging) refuse(reason string) bool {
	u.refused = &RefusedError{Device: u.id, Reason: reason}
	return true
}

// settle waits for the event that says that the device is gone for good. Processors usually have none, and the
// event of another device may have been lost.
func (u *unplugging) settle(ctx context.Context) error {
	end := time.Now().Add(settling)
	for !u.gone && !u.lost && !u.isCPU() && time.Now().Before(end) {
		if err := u.wait(ctx, time.Until(end)); err != nil {
			return nil //nolint:nilerr // the device is gone, even if its event does not come
		}
	}
	return nil
}

// typeOf returns the type of an object in the tree of objects.
func typeOf(ctx context.Context, c *qapi.Client, path string) (string, error) {
	text, err := ask(ctx, c, func(ctx context.Context) ([]byte, error) {
		return c.QOMGet(ctx, qapi.QOMGetArgs{Path: path, Property: "type"})
	})
	return strings.Trim(string(text), `"`), err
}

// exists reports whether an object is in the tree of objects.
func exists(ctx context.Context, c *qapi.Client, path string) (bool, error) {
	_, err := typeOf(ctx, c, path)
	return err == nil, gone(err)
}

// gone returns nil if err means that something does not exist, and otherwise err.
func gone(err error) error {
	if qapi.IsNotFound(err) {
		return nil
	}
	return err
}

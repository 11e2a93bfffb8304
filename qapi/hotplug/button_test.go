package hotplug_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qapi/hotplug"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// A pressed connection fails once: after device_del has succeeded, before its reply is read.
type pressed struct {
	net.Conn

	broken *atomic.Bool
	sent   atomic.Bool // the last command was device_del
}

func (p *pressed) Write(message []byte) (int, error) {
	p.sent.Store(bytes.Contains(message, []byte("device_del")))
	return p.Conn.Write(message)
}

func (p *pressed) Read(buf []byte) (int, error) {
	n, err := p.Conn.Read(buf)
	if p.sent.Load() && bytes.Contains(buf[:n], []byte(`"return"`)) && p.broken.CompareAndSwap(false, true) {
		p.Close()
		return 0, io.ErrUnexpectedEOF
	}
	return n, err
}

// TestQEMUGuestButton unplugs a device behind a PCI Express port without ACPI while its guest is still
// starting to use it, and loses the connection after the slot's button was pressed. Pressing the button
// again within five seconds would cancel the request: servers refuse that.
func TestQEMUGuestButton(t *testing.T) {
	kernel, initrd := makeGuest(t)
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		var native []string
		if q.Release != "5.2" { // 5.2 never uses ACPI for this
			native = []string{"-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off"}
		}
		r := bootMachine(t, q, kernel, initrd, "q35", "", native...)
		var broken atomic.Bool
		var answers []error // answers to device_del, beginning with the lost one
		conn, err := qmp.DialFunc(t.Context(), func(ctx context.Context) (io.ReadWriteCloser, error) {
			c, err := new(net.Dialer).DialContext(ctx, "unix", r.addr)
			return &pressed{Conn: c, broken: &broken}, err
		}, qmp.WithReconnect(qmp.Reconnect{MinDelay: time.Millisecond}), qmp.WithTrace(qmp.Trace{
			Call: func(context.Context, string) func(qmp.CallInfo) {
				return func(i qmp.CallInfo) {
					if i.Command == "device_del" && broken.Load() {
						answers = append(answers, i.Err)
					}
				}
			},
		}))
		require.NoError(t, err)
		defer conn.Close()
		c, ctx := qapi.NewClient(conn), within(t, 2*time.Minute)
		require.NoError(t, hotplug.Plug(ctx, c, device.VirtioRngPCI{ID: "rng"}))
		require.NoError(t, hotplug.Unplug(ctx, c, "rng"))
		require.NotEmpty(t, answers)
		assert.ErrorIs(t, answers[0], qmp.ErrClosed)
		for _, err := range answers[1:] { // none on a release that removes the device at once
			assert.ErrorContains(t, err, "already in the process of unplug")
		}
	})
}

// A guest that is busy with a slot is asked again until it is not.
func TestBusySlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t)
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		defer conn.Close()
		c := qapi.NewClient(conn)
		require.NoError(t, c.DeviceAdd(t.Context(), device.VirtioRngPCI{ID: "rng"}))
		busy, remove := 3, srv.Handler("device_del")
		srv.Handle("device_del", func(ctx context.Context, req *qmptest.Request) (any, error) {
			if busy--; busy >= 0 {
				return nil, &qmp.Error{Class: qmp.ClassGenericError, Desc: "Hot-unplug failed: guest is busy (power indicator blinking)"}
			}
			return remove(ctx, req)
		})
		start := time.Now()
		require.NoError(t, hotplug.Unplug(t.Context(), c, "rng"))
		assert.Less(t, time.Since(start), 10*time.Second)
		assert.Equal(t, 4, srv.Count("device_del"))
	})
}

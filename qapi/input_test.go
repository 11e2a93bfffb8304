package qapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// typable are all characters that TypeText can type.
func typable() string {
	var text strings.Builder
	for r := ' '; r <= '~'; r++ {
		text.WriteRune(r)
	}
	return text.String() + "\n\t\b\x1b"
}

// inputs returns what was sent to a fake, one line for each command, such as "shift+ a+ a- shift-".
func inputs(t *testing.T, srv *qmptest.Server) []string {
	t.Helper()
	var lines []string
	for _, call := range srv.Calls() {
		if call.Command != "input-send-event" {
			continue
		}
		var args qapi.InputSendEventArgs
		require.NoError(t, json.Unmarshal(call.Arguments, &args))
		var words []string
		for _, e := range args.Events {
			words = append(words, word(t, e))
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

func word(t *testing.T, e qapi.InputEvent) string {
	t.Helper()
	sign := map[bool]string{true: "+", false: "-"}
	switch e := e.Type.(type) {
	case qapi.InputEventKey:
		return string(e.Key.Type.(qapi.KeyValueQcode)) + sign[e.Down]
	case qapi.InputEventBtn:
		return string(e.Button) + sign[e.Down]
	case qapi.InputEventAbs:
		text, err := json.Marshal(e.Value)
		require.NoError(t, err)
		return string(e.Axis) + "=" + string(text)
	}
	t.Errorf("an event of type %T", e.Type)
	return ""
}

// acceptInput makes a fake accept any input.
func acceptInput(srv *qmptest.Server) {
	qmptest.Handle(srv, srv.Commands.InputSendEvent, func(context.Context, qapi.InputSendEventArgs) error { return nil })
}

func TestTypeText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := dialFake(t)
		acceptInput(srv)
		begin := time.Now()
		require.NoError(t, qapi.TypeText(t.Context(), c, "aA1!\n", qapi.InputInterval(time.Second), qapi.InputDisplay("vga0", 1)))
		assert.Equal(t, 5*time.Second, time.Since(begin))
		assert.Equal(t, []string{"a+ a-", "shift+ a+ a- shift-", "1+ 1-", "shift+ 1+ 1- shift-", "ret+ ret-"}, inputs(t, srv))
		assert.Contains(t, string(srv.Calls()[0].Arguments), `"device":"vga0","head":1`)
		require.NoError(t, qapi.TypeText(t.Context(), c, typable()))
	})
}

// TypeText fails before it has typed anything, or says how much it has typed.
func TestTypeTextFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := dialFake(t)
		acceptInput(srv)
		for _, text := range []string{"aä", "a\x00", "a€", "a\xff", "a\r"} {
			err := qapi.TypeText(t.Context(), c, text)
			require.ErrorContains(t, err, "at byte 1 is on no key", "%q", text)
		}
		assert.Empty(t, srv.Calls())

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		err := qapi.TypeText(ctx, c, strings.Repeat("x", 50))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "after 4 of 50 characters")

		qmptest.Handle(srv, srv.Commands.InputSendEvent, func(context.Context, qapi.InputSendEventArgs) error {
			return &qmp.Error{Class: qmp.ClassGenericError, Desc: "VM not running"}
		})
		require.ErrorContains(t, qapi.TypeText(t.Context(), c, "x"), "VM not running")
	})
}

func TestClick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := dialFake(t)
		acceptInput(srv)
		require.NoError(t, qapi.Click(t.Context(), c, 0.5, 1, qapi.InputButtonRight))
		assert.Equal(t, []string{"x=16384 y=32767", "right+", "right-"}, inputs(t, srv))
		for _, at := range [][2]float64{{-0.1, 0}, {0, 1.1}, {0 / zero(), 0}} {
			assert.ErrorContains(t, qapi.Click(t.Context(), c, at[0], at[1], qapi.InputButtonLeft), "is not on the screen")
		}
		assert.Len(t, inputs(t, srv), 3)
	})
}

func zero() float64 { return 0 }

// Click releases the button when its context ends in the middle.
func TestClickLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, c := dialFake(t)
		acceptInput(srv)
		ctx, cancel := context.WithTimeout(t.Context(), 45*time.Millisecond)
		defer cancel()
		err := qapi.Click(ctx, c, 0, 0, qapi.InputButtonLeft)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, []string{"x=0 y=0", "left+", "left-"}, inputs(t, srv))

		qmptest.Handle(srv, srv.Commands.InputSendEvent, func(_ context.Context, args qapi.InputSendEventArgs) error {
			if _, button := args.Events[0].Type.(qapi.InputEventBtn); button {
				return &qmp.Error{Class: qmp.ClassGenericError, Desc: "no such button"}
			}
			return nil
		})
		err = qapi.Click(t.Context(), c, 0, 0, qapi.InputButtonLeft)
		require.ErrorContains(t, err, "no such button")
		assert.NotContains(t, err.Error(), "may still be down", "it never was")
	})
}

// bootSector prints '>' on the first serial port, and then what is typed.
var bootSector = []byte{
	0xba, 0xf8, 0x03, 0xb0, '>', 0xee, // out 0x3f8, '>'
	0x30, 0xe4, 0xcd, 0x16, // wait for a key
	0xba, 0xf8, 0x03, 0xee, 0xeb, 0xf6, // out 0x3f8, the key; again
}

// The firmware of a real machine prints what was typed.
func TestQEMUTypeText(t *testing.T) {
	disk := make([]byte, 1<<20)
	copy(disk, bootSector)
	disk[510], disk[511] = 0x55, 0xaa
	path := filepath.Join(t.TempDir(), "disk")
	require.NoError(t, os.WriteFile(path, disk, 0o600))
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp", "-machine", "pc", "-accel", "tcg", "-device", "usb-ehci", "-device", "usb-tablet",
			"-chardev", "ringbuf,id=said,size=4096", "-serial", "chardev:said", "-drive", "format=raw,file="+path))
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorContains(t, qapi.TypeText(ctx, c, "x"), "VM not running")
		require.NoError(t, c.Cont(ctx))
		said := func(want string) {
			t.Helper()
			for text := ""; text != want; {
				more, err := c.RingbufRead(ctx, qapi.RingbufReadArgs{Device: "said", Size: 4096})
				require.NoError(t, err, "it said %q", text)
				text += more
			}
		}
		said(">")
		for _, r := range typable() { // one by one: a busy machine loses keys that come faster than it reads them
			require.NoError(t, qapi.TypeText(ctx, c, string(r), qapi.InputInterval(0)))
			said(strings.ReplaceAll(string(r), "\n", "\r"))
		}
		require.NoError(t, qapi.Click(ctx, c, 0.5, 0.5, qapi.InputButtonLeft))
	})
}

// The error of Click says that a machine has no pointer.
func TestQEMUNoPointer(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp"))
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		require.NoError(t, c.Cont(t.Context()))
		for _, err := range []error{
			qapi.Click(t.Context(), c, 0, 0, qapi.InputButtonLeft), qapi.TypeText(t.Context(), c, "x"),
		} {
			refused, ok := errors.AsType[*qmp.Error](err)
			require.True(t, ok, "%v", err)
			assert.True(t, qapi.IsNotFound(refused), "%v", refused)
		}
	})
}

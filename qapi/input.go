package qapi

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/goqapi/goqapi/qmp"
)

// An InputOption changes how [TypeText] and [Click] send input.
type InputOption func(*input)

// InputInterval sets the time between two keys, and the time for which a button is down;
// without this option both are 30 ms. A guest that reads its keyboard more slowly loses keys,
// for example firmware, or any guest on a busy host.
func InputInterval(d time.Duration) InputOption { return func(i *input) { i.interval = d } }

// InputDisplay sends the input to the input devices that are bound to a display. device is the id
// of the display's device, head the number of its output.
func InputDisplay(device string, head int64) InputOption {
	return func(i *input) { i.device, i.head = &device, &head }
}

// An input sends events to a guest.
type input struct {
	client   *Client
	interval time.Duration
	device   *string
	head     *int64
}

func newInput(c *Client, opts []InputOption) *input {
	i := &input{client: c, interval: 30 * time.Millisecond}
	for _, opt := range opts {
		opt(i)
	}
	return i
}

// send sends events to the guest, and gives it time to process them.
func (i *input) send(ctx context.Context, events ...InputEvent) error {
	err := i.client.InputSendEvent(ctx, InputSendEventArgs{Device: i.device, Head: i.head, Events: events})
	if err != nil {
		return err
	}
	return i.pause(ctx)
}

// pause gives the guest time to process events.
func (i *input) pause(ctx context.Context) error {
	timer := time.NewTimer(i.interval)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TypeText types a text on the guest's keyboard, for a guest without an agent that has a US
// layout. The text can have printable ASCII characters, and "\n", "\t", "\b" and "\x1b",
// which are the keys Return, Tab, Backspace and Escape; any other character is an error before
// anything is typed. For other keys, and for several at once, use [Client.SendKey].
//
// It waits after each character (see [InputInterval]), and returns when all are typed; an error
// says how many were. A machine that does not run or has no keyboard is an error. Whether the
// guest reads its keyboard cannot be known.
func TypeText(ctx context.Context, c *Client, text string, opts ...InputOption) error {
	var strokes [][]InputEvent
	for at, r := range text {
		keys := keysFor(r)
		if keys == nil {
			return fmt.Errorf("qapi: TypeText: character %q at byte %d is on no key of a US keyboard", r, at)
		}
		strokes = append(strokes, stroke(keys))
	}
	i := newInput(c, opts)
	for n, events := range strokes {
		typed := n
		err := c.InputSendEvent(ctx, InputSendEventArgs{Device: i.device, Head: i.head, Events: events})
		if err == nil {
			typed, err = n+1, i.pause(ctx)
		}
		if err != nil {
			return fmt.Errorf("qapi: TypeText: after %d of %d characters: %w", typed, len(strokes), err)
		}
	}
	return nil
}

// stroke returns the events for keys that go down in order, and up in the reverse order.
func stroke(keys []QKeyCode) []InputEvent {
	events := make([]InputEvent, 2*len(keys))
	for n, key := range keys {
		events[n] = keyEvent(key, true)
		events[len(events)-1-n] = keyEvent(key, false)
	}
	return events
}

func keyEvent(key QKeyCode, down bool) InputEvent {
	return InputEvent{Type: InputEventKey{Key: KeyValue{Type: KeyValueQcode(key)}, Down: down}}
}

// usKeys are the keys of a US keyboard that are not letters, with what they type without
// and with shift.
var usKeys = []struct {
	key            QKeyCode
	plain, shifted rune
}{
	{QKeyCodeGraveAccent, '`', '~'}, {QKeyCode1, '1', '!'}, {QKeyCode2, '2', '@'}, {QKeyCode3, '3', '#'},
	{QKeyCode4, '4', '$'}, {QKeyCode5, '5', '%'}, {QKeyCode6, '6', '^'}, {QKeyCode7, '7', '&'},
	{QKeyCode8, '8', '*'}, {QKeyCode9, '9', '('}, {QKeyCode0, '0', ')'}, {QKeyCodeMinus, '-', '_'},
	{QKeyCodeEqual, '=', '+'}, {QKeyCodeBracketLeft, '[', '{'}, {QKeyCodeBracketRight, ']', '}'},
	{QKeyCodeBackslash, '\\', '|'}, {QKeyCodeSemicolon, ';', ':'}, {QKeyCodeApostrophe, '\'', '"'},
	{QKeyCodeComma, ',', '<'}, {QKeyCodeDot, '.', '>'}, {QKeyCodeSlash, '/', '?'}, {QKeyCodeSpc, ' ', 0},
	{QKeyCodeRet, '\n', 0}, {QKeyCodeTab, '\t', 0}, {QKeyCodeBackspace, '\b', 0}, {QKeyCodeEsc, '\x1b', 0},
}

// keysFor returns the keys that together type a character; nil if there are none.
func keysFor(r rune) []QKeyCode {
	switch {
	case 'a' <= r && r <= 'z':
		return []QKeyCode{QKeyCode(string(r))}
	case 'A' <= r && r <= 'Z':
		return []QKeyCode{QKeyCodeShift, QKeyCode(strings.ToLower(string(r)))}
	case r == 0:
		return nil
	}
	for _, k := range usKeys {
		switch r {
		case k.plain:
			return []QKeyCode{k.key}
		case k.shifted:
			return []QKeyCode{QKeyCodeShift, k.key}
		}
	}
	return nil
}

// Click moves the guest's pointer to a place, and presses and releases a button there, for
// example [InputButtonLeft]. x and y are fractions of the screen's width and height: (0, 0) is
// the corner at the top left, (1, 1) the one at the bottom right. The centre of a pixel in
// column 100 of a [Client.Screendump] that is 640 pixels wide has x = 100.5/640.
//
// The guest needs a pointing device with absolute coordinates, such as the device usb-tablet or
// virtio-tablet-pci: without one, or if the machine does not run, Click is an error.
func Click(ctx context.Context, c *Client, x, y float64, button InputButton, opts ...InputOption) error {
	if !(0 <= x && x <= 1 && 0 <= y && y <= 1) { // this condition is also true for NaN
		return fmt.Errorf("qapi: Click: (%v, %v) is not on the screen, which goes from 0 to 1", x, y)
	}
	i := newInput(c, opts)
	err := i.send(ctx, moveTo(InputAxisX, x), moveTo(InputAxisY, y))
	if err == nil {
		err = i.press(ctx, button)
	}
	if err != nil {
		return fmt.Errorf("qapi: Click: %w", err)
	}
	return nil
}

// press presses a button and releases it, even if ctx ends in between.
func (i *input) press(ctx context.Context, button InputButton) error {
	event := func(down bool) InputEvent { return InputEvent{Type: InputEventBtn{Button: button, Down: down}} }
	err := i.send(ctx, event(true))
	if err != nil && !qmp.MayHaveRun(err) {
		return err
	}
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTime+i.interval)
	defer cancel()
	if left := i.send(release, event(false)); left != nil {
		return errors.Join(err, fmt.Errorf("the button may still be down: %w", left))
	}
	return err
}

// moveTo returns the event of a pointer that moves along an axis to a place; part is a fraction of the axis.
func moveTo(axis InputAxis, part float64) InputEvent {
	const whole = 0x7fff
	return InputEvent{Type: InputEventAbs{Axis: axis, Value: int64(math.Round(part * whole))}}
}

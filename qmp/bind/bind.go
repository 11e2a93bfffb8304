// Package bind is for bindings: it connects typed results and events, and answers that are asked for
// only once, with a [qmp.Conn]. Other programs rarely need it. Generated code uses it, so it may change
// whenever [codec.Version] does.
package bind

import (
	"context"
	"fmt"
	"reflect"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/codec"
	"github.com/goqapi/goqapi/qmp/internal/hook"
	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// Execute is [qmp.Conn.Execute] for a command without arguments whose result is decoded by a function;
// result may be nil. A program that uses only such commands and [Decode] has no reflection of JSON
// in it, and is 0.7 MB smaller.
func Execute(ctx context.Context, c *qmp.Conn, command string, result codec.Into) error {
	return hook.Execute(ctx, c, command, result)
}

// Decode is [qmp.Event.Decode] with a function.
func Decode(e qmp.Event, result codec.Into) error {
	if len(e.Data) == 0 {
		return nil
	}
	return wire.EventError(e.Name, codec.DecodeInto(context.Background(), e.Data, result))
}

// On is like [qmp.Conn.OnEvent], for events that are decoded into a type. An event that cannot be
// decoded is reported with [qmp.Conn.ReportError].
func On[E any](c *qmp.Conn, name string, decode func(qmp.Event) (E, error), f func(E)) (stop func()) {
	if f == nil {
		panic("qmp: the handler of " + name + " is nil")
	}
	return c.OnEvent(name, func(e qmp.Event) {
		v, err := decode(e)
		if err != nil {
			c.ReportError(err)
			return
		}
		f(v)
	})
}

// Once calls f and returns its result. Later calls with the same T on the same connection
// return that result and do not call f. It is for facts that do not change as long as the
// server runs. After a reconnection f is called again. If f returns an error, the next call
// calls f again. If several goroutines call Once at the same time, one calls f and the others
// wait, until their ctx ends.
func Once[T any](ctx context.Context, c *qmp.Conn, f func(context.Context) (T, error)) (T, error) {
	entry := hook.MemoOf(c).Entry(reflect.TypeFor[T]())
	var none T
	select {
	case entry.Turn <- struct{}{}:
	case <-ctx.Done():
		return none, fmt.Errorf("qmp: waiting for %T: %w", none, poll.Error(ctx))
	}
	defer func() { <-entry.Turn }()
	if v, ok := entry.Value.(T); ok {
		return v, nil
	}
	v, err := f(ctx)
	if err != nil {
		return none, err
	}
	entry.Value = v
	return v, nil
}

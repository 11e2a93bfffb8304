// Package raw works without the schema: any command by its name with any
// arguments, any whole message, events as they come. Answers are JSON. Use it
// for commands that the bindings do not have: those that a patched QEMU has added, or
// that are not in the schema.
//
// It shares the connection with the typed API, and both can be used at the same time:
//
//	r := raw.New(c.Conn())
//	irqs, err := r.Execute(ctx, "x-query-irq", nil)
package raw

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/codec"
)

// A Client sends messages without checking them against a schema. Any number of
// goroutines may use it at the same time.
type Client struct{ conn *qmp.Conn }

// New returns a client that uses a connection.
func New(conn *qmp.Conn) *Client { return &Client{conn} }

// Execute issues a command and returns its reply. args is anything that encodes
// to a JSON object: a map, a struct, a json.RawMessage; nil for no arguments. The errors
// are those of [qmp.Conn.Execute], an [*qmp.Error] for a refusal.
func (c *Client) Execute(ctx context.Context, command string, args any) (json.RawMessage, error) {
	var reply json.RawMessage
	err := c.conn.Execute(ctx, command, args, &reply)
	return reply, err
}

// Go is like Execute, but returns at once. done is called once with the result, on a worker
// of the connection; it may be nil.
func (c *Client) Go(ctx context.Context, command string, args any, done func(json.RawMessage, error)) {
	if done == nil {
		done = func(json.RawMessage, error) {}
	}
	reply := new(json.RawMessage)
	c.conn.Go(ctx, command, args, reply, func(err error) { done(*reply, err) })
}

// RoundTrip sends a whole message as it is, byte for byte, and returns the whole answer. If
// that is a refusal, it also returns an [*qmp.Error]. The message must be one JSON object;
// its members, an id among them, are up to you. No other call is in flight with it: see
// [qmp.Conn.RoundTrip].
func (c *Client) RoundTrip(ctx context.Context, message []byte) (json.RawMessage, error) {
	answer, err := c.conn.RoundTrip(ctx, message)
	if err != nil {
		return nil, err
	}
	return answer, refusal(message, answer)
}

// GoRoundTrip is like RoundTrip, but returns at once. done is called once with what
// RoundTrip would return; it may be nil. Messages are sent in the order of the calls.
func (c *Client) GoRoundTrip(ctx context.Context, message []byte, done func(json.RawMessage, error)) {
	if done == nil {
		done = func(json.RawMessage, error) {}
	}
	message = bytes.Clone(message) // the caller may change it before the answer comes
	c.conn.GoRoundTrip(ctx, message, func(answer []byte, err error) {
		if err == nil {
			err = refusal(message, answer)
		}
		done(answer, err)
	})
}

// refusal returns the error in an answer; nil if the answer is not an error.
func refusal(message, answer []byte) error {
	var reply struct {
		Error jsontext.Value `json:"error"`
	}
	if err := codec.Decode(context.Background(), answer, &reply); err != nil || reply.Error == nil {
		return nil //nolint:nilerr // an answer that is not a reply is not a refusal: the caller has the text
	}
	var e struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	}
	if err := codec.Decode(context.Background(), reply.Error, &e); err != nil {
		return fmt.Errorf("raw: the server's error cannot be decoded: %s", printable.Start(reply.Error, 200))
	}
	var request struct {
		Execute string `json:"execute"`
		ExecOOB string `json:"exec-oob"`
	}
	_ = codec.Decode(context.Background(), message, &request) // without a command the error has none
	return &qmp.Error{Command: cmp.Or(request.Execute, request.ExecOOB), Class: e.Class, Desc: e.Desc}
}

// Subscribe starts a subscription to the events of the given names, or to all
// events if there are none: see [qmp.Conn.Subscribe].
func (c *Client) Subscribe(names ...string) *qmp.Subscription {
	return c.conn.Subscribe(names)
}

// OnEvent calls f for each event of a name, or for every event if the name
// is empty, until stop is called: see [qmp.Conn.OnEvent].
func (c *Client) OnEvent(name string, f func(qmp.Event)) (stop func()) {
	return c.conn.OnEvent(name, f)
}

// Send is the older name of [Client.RoundTrip].
//
// Deprecated: use RoundTrip.
func (c *Client) Send(ctx context.Context, message []byte) (json.RawMessage, error) {
	return c.RoundTrip(ctx, message)
}

// GoSend is the older name of [Client.GoRoundTrip].
//
// Deprecated: use GoRoundTrip.
func (c *Client) GoSend(ctx context.Context, message []byte, done func(json.RawMessage, error)) {
	c.GoRoundTrip(ctx, message, done)
}

// Handle is the older name of [Client.OnEvent].
//
// Deprecated: use OnEvent.
func (c *Client) Handle(name string, f func(qmp.Event)) (stop func()) { return c.OnEvent(name, f) }

package qmp

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/codec"
)

// decodeStatus returns what decodes a status into place.
func decodeStatus(place *string) codec.Into {
	return func(d *codec.Decoder) {
		for name := d.Object("status"); name != nil; name = d.Member() {
			if string(name) == "status" {
				d.String(place)
			} else {
				d.Unknown()
			}
		}
	}
}

func TestExecuteInto(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		var got string
		call := func(result codec.Into, answer string) error {
			done := async(func() error { return p.executeInto(t.Context(), "query-status", result) })
			p.peer.answer(p.peer.expect(`{"execute":"query-status"}`), answer)
			return returned(t, "executeInto", done)
		}
		require.NoError(t, call(decodeStatus(&got), `{"running": true, "status": "running"}`))
		assert.Equal(t, "running", got)
		require.NoError(t, call(nil, `{}`))
		require.NoError(t, call(nil, `{"status": "paused"}`), "a result that nobody wants")
		err := call(decodeStatus(&got), `{"status": 1}`)
		require.EqualError(t, err, "qmp: query-status: reply: member /status: a string is expected, not a number")

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, p.executeInto(ctx, "stop", nil), ErrNotSent)
	})
}

func TestExecuteIntoReconnects(t *testing.T) {
	reconnecting(t, Reconnect{}, func(t *testing.T, r *redialled, p *peer) {
		p.rw.Close()
		synctest.Wait() // the loss is known
		var got string
		done := async(func() error { return r.executeInto(t.Context(), "query-status", decodeStatus(&got)) })
		p = r.next()
		p.answer(p.expect(`{"execute":"query-status"}`), `{"status": "paused"}`)
		require.NoError(t, returned(t, "executeInto", done))
		assert.Equal(t, "paused", got)
	})
}

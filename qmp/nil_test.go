package qmp

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Without a stream there is an error and no crash.
func TestNilStream(t *testing.T) {
	_, err := NewConn(t.Context(), nil)
	assert.EqualError(t, err, "qmp: the stream is nil")
	_, err = NewAgentConn(t.Context(), nil, WithReconnect(Reconnect{}))
	assert.EqualError(t, err, "qmp: the stream is nil")

	nothing := func(context.Context) (io.ReadWriteCloser, error) { return nil, nil }
	for _, opts := range [][]Option{nil, {WithReconnect(Reconnect{})}} {
		_, err := DialFunc(t.Context(), nothing, opts...)
		assert.ErrorContains(t, err, "qmp: DialFunc: connect returned neither a stream nor an error")
	}
}

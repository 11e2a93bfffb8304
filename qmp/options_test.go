package qmp

import (
	"bytes"
	"context"
	"log"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
)

// An option whose argument is nil sets the default.
func TestNilOptions(t *testing.T) {
	var said bytes.Buffer
	defer log.SetOutput(log.Writer())
	log.SetOutput(&said)
	failing := func(error) { t.Error("the first of two options counts") }
	bubble(t, func(t *testing.T, p pair) {
		p.peer.send("rubbish\n{\"x\": 1}\n")
		synctest.Wait()
	}, WithEventError(failing), WithEventError(nil), WithPanicHandler(nil), WithSetup(nil), WithTraceFunc(nil),
		WithTrace(Trace{}))
	assert.Contains(t, said.String(), "qmp: ", "reported")
}

// A nil function is an error or a panic at once, not later in a goroutine.
func TestNilFunctions(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		assert.PanicsWithValue(t, "qmp: OnEvent: the function is nil", func() { p.OnEvent("X", nil) })
		p.Go(t.Context(), "a", nil, nil, nil)
		p.peer.answer(p.peer.next(), "{}")
		p.GoRoundTrip(t.Context(), []byte(`{"execute":"b"}`), nil)
		p.peer.answer(p.peer.next(), "{}")
		assert.NoError(t, p.WaitIdle(t.Context()))
	})
	assert.PanicsWithValue(t, "qmp: DialFunc: connect is nil", func() { _, _ = DialFunc(context.Background(), nil) })
}

package libvirt

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/virrpc"
	"github.com/goqapi/goqapi/qmp"
)

func newFeed() *feed { return &feed{max: 1000, changed: make(chan struct{}, 1)} }

// Whichever part of an event is long, the events that wait have at most the limit in all.
func TestFeedIsLimited(t *testing.T) {
	long := strings.Repeat("x", virrpc.MaxString)
	for name, e := range map[string]Event{
		"data":   {QMP: qmp.Event{Name: "E", Data: []byte(long)}},
		"event":  {QMP: qmp.Event{Name: long}},
		"domain": {Domain: Domain{Name: long}, QMP: qmp.Event{Name: "E"}},
	} {
		f := newFeed()
		for range 100 {
			f.add(e)
		}
		assert.LessOrEqual(t, len(f.queue), maxWaiting/len(long), name)
		assert.Equal(t, 100, len(f.queue)+f.lost, name)
	}
}

// Events of the next connection come after the gap, even if a stream makes that
// connection immediately after the end of the earlier one.
func TestGapComesFirst(t *testing.T) {
	f := newFeed()
	h := &Host{streams: map[virrpc.UUID][]*stream{}, feeds: []*feed{f}, resuming: true}
	s := &stream{h: h}
	s.changed.L = &s.mu
	s.cancel = func() { h.feed(Event{QMP: qmp.Event{Name: "NEXT"}}) }
	h.streams[virrpc.UUID{}] = []*stream{s}
	c := &conn{}
	h.conns[0].conn = c
	h.lost(0, c, io.EOF)

	_, _, err, ok := f.take()
	require.True(t, ok)
	_, gap := errors.AsType[*qmp.GapError](err)
	assert.True(t, gap, "%v", err)
	e, _, err, ok := f.take()
	require.True(t, ok)
	require.NoError(t, err)
	assert.Equal(t, "NEXT", e.QMP.Name)
}

// File names need not be valid UTF-8: QEMU sends them as they are, and so do events.
func TestEventWithInvalidUTF8(t *testing.T) {
	f := newFeed()
	h := &Host{streams: map[virrpc.UUID][]*stream{}, feeds: []*feed{f}}
	const data = `{"file":"` + "\xff" + `"}`
	h.monitorEvent(virrpc.Event{Name: "E", HasData: true, Data: data})
	e, _, err, ok := f.take()
	require.True(t, ok)
	require.NoError(t, err)
	assert.Equal(t, data, string(e.QMP.Data))
}

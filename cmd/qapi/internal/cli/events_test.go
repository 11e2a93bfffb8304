package cli

import (
	"bufio"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/qapi"
)

// TestWatched checks which events are printed, and which one is the last.
func TestWatched(t *testing.T) {
	deleted := func(id string) event {
		return event{Name: "DEVICE_DELETED", Data: json.RawMessage(`{"device":"` + id + `"}`), Timestamp: time.Unix(1764400000, 123456000).UTC()}
	}
	until, err := parseMatcher("DEVICE_DELETED:device=b")
	require.NoError(t, err)
	only, err := parseTest("device=a")
	require.NoError(t, err)
	w := &watch{names: []string{"STOP", "DEVICE_DELETED"}, tests: []test{only}, until: &until}
	assert.ElementsMatch(t, []string{"DEVICE_DELETED", "STOP", "DEVICE_DELETED"}, w.subscribed())
	var out strings.Builder
	a := &app{out: &out, env: func(string) string { return "" }}
	m := target.Machine{Name: "web01"}
	for _, e := range []event{{Name: "STOP"}, {Name: "RESUME"}, deleted("x"), deleted("a")} {
		require.NoError(t, a.watched(m, w, e))
	}
	require.ErrorIs(t, a.watched(m, w, deleted("b")), errWatched)
	assert.Equal(t, `{"time":"2025-11-29T07:06:40.123456Z","event":"DEVICE_DELETED","data":{"device":"a"}}
{"time":"2025-11-29T07:06:40.123456Z","event":"DEVICE_DELETED","data":{"device":"b"}}
`, out.String())

	out.Reset()
	w = &watch{counted: true, several: true}
	w.left.Store(2)
	require.NoError(t, a.watched(m, w, event{Name: "STOP"}))
	require.ErrorIs(t, a.watched(m, w, event{Name: "RESUME"}), errWatched)
	require.ErrorIs(t, a.watched(m, w, event{Name: "STOP"}), errWatched) // of another machine
	assert.Equal(t, `{"vm":"web01","event":"STOP"}`+"\n"+`{"vm":"web01","event":"RESUME"}`+"\n", out.String())
}

// TestEvents watches until the machine ends.
func TestEvents(t *testing.T) {
	w := newWorld(t)
	for line, want := range map[string]int{"events web01": exit.OK, "events web01 --until SHUTDOWN": exit.Lost} {
		read, write := io.Pipe()
		done := make(chan int)
		go func() {
			code := w.app("", write, io.Discard).run(t.Context(), words(line))
			write.Close()
			done <- code
		}()
		// It is not known when the tool is connected, so the event is sent until it is seen.
		seen := make(chan struct{})
		go func() {
			_, _ = bufio.NewReader(read).ReadString('\n')
			close(seen)
			_, _ = io.Copy(io.Discard, read)
		}()
		for isSeen := false; !isSeen; {
			w.vm.Emit(qapi.StopEvent{})
			select {
			case <-seen:
				isSeen = true
			case <-time.After(time.Millisecond):
			}
		}
		w.vm.Cut()
		assert.Equal(t, want, <-done, line)
	}
}

// When enough events have come, the watch of all machines ends, also of those without events.
func TestEventsOfSeveral(t *testing.T) {
	w := newWorld(t)
	done := make(chan int)
	go func() {
		code, _, _ := w.run("", words("events @web* --count 1")...)
		done <- code
	}()
	for { // it is not known when the tool is connected
		w.vm.Emit(qapi.StopEvent{})
		select {
		case code := <-done:
			assert.Equal(t, exit.OK, code)
			return
		case <-time.After(time.Millisecond):
		}
	}
}

func TestMatcher(t *testing.T) {
	data := json.RawMessage(`{"id":"a","n":18446744073709551615,"on":true,"in":{"x":"1"},"none":null}`)
	for text, want := range map[string]bool{
		"E": true, "E:id=a": true, "E:id=b": false, "F:id=a": false, "E:n=18446744073709551615": true, "E:on=true": true,
		"E:in.x=1": true, "E:in=1": false, "E:id.x=1": false, "E:id=a,on=true": true, "E:id=a,on=false": false, "E:nope=": false,
	} {
		m, err := parseMatcher(text)
		require.NoError(t, err)
		assert.Equal(t, want, m.matches(event{Name: "E", Data: data}), text)
	}
	for _, bad := range []string{":a=b", "E:", "E:a", "E:=b"} {
		_, err := parseMatcher(bad)
		assert.Error(t, err, bad)
	}
}

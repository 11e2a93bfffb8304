package qmp_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

// A dialogue was recorded with a real QEMU by package record: the commands and their
// outcomes.
type dialogue struct {
	session *record.Session
	asked   []exchange
	events  int
	bytes   int // about as many as the server said
}

type exchange struct {
	command string
	args    json.RawMessage
	result  json.RawMessage // nil: it was refused
}

func readDialogue(t *testing.T, path string) dialogue {
	t.Helper()
	session, err := record.Open(path)
	require.NoError(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	d := dialogue{session: session}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var line struct {
			From    string
			Message struct {
				Execute   string
				Arguments json.RawMessage
				Return    json.RawMessage
				Event     string
			}
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		m := line.Message
		switch {
		case line.From == "server":
			d.bytes += len(lines.Bytes())
			if m.Event != "" {
				d.events++
			}
			if m.Return != nil {
				d.asked[len(d.asked)-1].result = m.Return
			}
		case m.Execute != "":
			d.asked = append(d.asked, exchange{command: m.Execute, args: m.Arguments})
		}
	}
	d.asked = d.asked[1:] // the negotiation
	return d
}

// A wire passes on what a server sends, with a fault at a byte.
type wire struct {
	to     net.Conn
	rng    *rand.Rand
	at     int // bytes until the fault
	stroke func(w *wire, text []byte) bool
}

// passOn is false when the wire is cut.
func (w *wire) passOn(text []byte) bool {
	if w.at >= len(text) {
		w.at -= len(text)
		_, err := w.to.Write(text)
		return err == nil
	}
	at := w.at
	w.at = 1 << 30
	if _, err := w.to.Write(text[:at]); err != nil {
		return false
	}
	return w.stroke(w, text[at:])
}

func (w *wire) write(text []byte) bool {
	_, err := w.to.Write(text)
	return err == nil
}

// wireFaults are what may happen at any byte. Those that are harmless lose nothing.
var wireFaults = []struct {
	name     string
	harmless bool
	stroke   func(w *wire, text []byte) bool
}{
	{"split", true, func(w *wire, text []byte) bool { return w.write(text) }},
	{"late", true, func(w *wire, text []byte) bool {
		time.Sleep(time.Second)
		return w.write(text)
	}},
	{"dribbled", true, func(w *wire, text []byte) bool {
		for i := range text {
			if !w.write(text[i : i+1]) {
				return false
			}
		}
		return true
	}},
	{"cut", false, func(*wire, []byte) bool { return false }},
	{"corrupted", false, func(w *wire, text []byte) bool {
		text = bytes.Clone(text)
		text[0] = 1 // stands nowhere in JSON
		return w.write(text)
	}},
	{"torn", false, func(w *wire, text []byte) bool { // with a mark, or it might be whole JSON still
		end := max(0, len(text)-len("\r\n")) // without the end of its line it looks like a slow one
		return w.write([]byte{1}) && w.write(text[min(end, 1+w.rng.IntN(50)):])
	}},
	{"stuttered", false, func(w *wire, text []byte) bool {
		return w.write(append([]byte("\x01"), text...)) && w.write([]byte("\r\n{\"return\": \x01}\r\n"))
	}},
}

// TestRecordedDialogues replays what real QEMUs sent, with a fault at one byte, or, with
// QAPI_LONG=1, at every byte in turn. No call gets a reply that is not its own, none hangs,
// and no goroutine is left, which a bubble checks.
func TestRecordedDialogues(t *testing.T) {
	paths, err := filepath.Glob("testdata/dialogues/*.jsonl")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	step := 97
	switch {
	case os.Getenv("QAPI_LONG") != "":
		step = 1
	case testing.Short():
		step = 397
	}
	for _, path := range paths {
		d := readDialogue(t, path)
		for _, m := range wireFaults {
			t.Run(filepath.Base(path)+" "+m.name, func(t *testing.T) {
				for at := 0; at < d.bytes && !t.Failed(); at += step {
					synctest.Test(t, func(t *testing.T) {
						w := &wire{at: at, stroke: m.stroke, rng: rand.New(rand.NewPCG(uint64(at), 0))}
						d.play(t, w, m.harmless)
						if t.Failed() {
							t.Logf("with the fault at byte %d", at)
						}
					})
				}
			})
		}
	}
}

// play has the dialogue through a wire.
func (d dialogue) play(t *testing.T, w *wire, harmless bool) {
	player := d.session.Replay(record.Options{})
	defer player.Close() // with a fault, not all of it comes
	server := player.Pipe()
	ours, theirs := net.Pipe()
	w.to = theirs
	var wires sync.WaitGroup
	defer wires.Wait()
	wires.Go(func() {
		defer server.Close()
		_, _ = io.Copy(server, theirs)
	})
	wires.Go(func() {
		defer theirs.Close()
		piece := make([]byte, 4096)
		for {
			n, err := server.Read(piece)
			if n > 0 && !w.passOn(piece[:n]) || err != nil {
				return
			}
		}
	})

	var events *qmp.Subscription
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	c, err := qmp.NewConn(ctx, ours, qmp.WithEventError(func(err error) {
		assert.False(t, harmless, "reported: %v", err)
	}), qmp.WithSetup(func(c *qmp.Conn) { events = c.Subscribe(nil) }))
	if err != nil {
		assert.False(t, harmless, "%v", err)
		return
	}
	defer c.Close()
	for _, e := range d.asked {
		var args any
		if e.args != nil {
			args = e.args
		}
		var result json.RawMessage
		err := c.Execute(ctx, e.command, args, &result)
		_, refused := errors.AsType[*qmp.Error](err)
		assert.NotErrorIs(t, err, context.DeadlineExceeded, "%s hangs", e.command)
		switch {
		case err != nil && harmless:
			assert.True(t, refused, "%s: %v", e.command, err)
			assert.Nil(t, e.result, "%s: %v", e.command, err)
		case err != nil:
		case assert.NotNil(t, e.result, "%s was refused, and gets %s", e.command, result):
			assert.JSONEq(t, string(e.result), string(result), "the reply to %s", e.command)
		}
	}
	if harmless {
		<-c.Done()
	}
	c.Close()
	came := 0
	for _, err := range events.All(ctx) {
		if err == nil {
			came++
		}
	}
	assert.LessOrEqual(t, came, d.events)
	if harmless {
		assert.Equal(t, d.events, came, "events")
	}
}

package qmp

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/internal/wire/streams"
)

// A fault changes what a server sends.
type fault struct {
	name string
	// benign: nothing is lost, so every call has to succeed.
	benign bool
	// damage returns a message in the pieces in which it arrives; nil is the end.
	damage func(f *faulty, text []byte) [][]byte
}

// A faulty is what a server writes to, with a fault in it.
type faulty struct {
	io.WriteCloser
	fault *fault
	rand  *rand.Rand
	at    int // the byte at which the fault strikes
	sent  int // bytes so far

	record []byte
}

func (f *faulty) Write(text []byte) (int, error) {
	for _, piece := range f.fault.damage(f, text) {
		if piece == nil {
			f.WriteCloser.Close()
			return 0, io.ErrClosedPipe
		}
		f.record = append(f.record, piece...)
		if _, err := f.WriteCloser.Write(piece); err != nil {
			return 0, err
		}
	}
	f.sent += len(text)
	return len(text), nil
}

// strikes returns where in text the fault strikes, if it does.
func (f *faulty) strikes(text []byte) (int, bool) {
	i := f.at - f.sent
	return i, 0 <= i && i < len(text)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

var faults = []fault{
	{"none", true, func(f *faulty, text []byte) [][]byte { return [][]byte{text} }},
	{"split at a byte", true, func(f *faulty, text []byte) [][]byte {
		if i, ok := f.strikes(text); ok {
			return [][]byte{text[:i], text[i:]}
		}
		return [][]byte{text}
	}},
	{"small pieces", true, func(f *faulty, text []byte) (pieces [][]byte) {
		for len(text) > 0 {
			n := min(len(text), 1+f.rand.IntN(f.at))
			pieces, text = append(pieces, text[:n]), text[n:]
		}
		return pieces
	}},
	{"delays", true, func(f *faulty, text []byte) [][]byte {
		time.Sleep(time.Duration(f.rand.IntN(100)) * time.Millisecond)
		return [][]byte{text}
	}},
	{"cut", false, func(f *faulty, text []byte) [][]byte {
		if i, ok := f.strikes(text); ok {
			return [][]byte{text[:i], nil}
		}
		return [][]byte{text}
	}},
	{"corrupted", false, func(f *faulty, text []byte) [][]byte {
		i, ok := f.strikes(text)
		c := byte(f.rand.IntN(256))
		if ok && !isDigit(text[i]) && !isDigit(c) && c != '-' { // with another number it is another reply, or event
			text[i] = c
		}
		return [][]byte{text}
	}},
	{"garbage", false, func(f *faulty, text []byte) [][]byte {
		i, ok := f.strikes(text)
		if !ok || i > 0 && isDigit(text[i-1]) {
			return [][]byte{text}
		}
		garbage := []byte("\xff{}[]\",:\r\n \\x")
		f.rand.Shuffle(len(garbage), func(i, j int) { garbage[i], garbage[j] = garbage[j], garbage[i] })
		return [][]byte{text[:i], garbage[:1+f.rand.IntN(len(garbage))], text[i:]}
	}},
}

// token is a result that shows which command it belongs to and that it is whole.
type token struct {
	N     int    `json:"n"`
	Pad   string `json:"pad"`
	Check uint32 `json:"check"`
}

func (k token) sum() uint32 { return crc32.ChecksumIEEE(fmt.Append(nil, k.N, k.Pad)) }

// serve answers commands c0, c1, … with tokens, as QEMU does: in order, with
// events before and after it.
func (f *faulty) serve(requests io.Reader, pretty bool) {
	defer f.Close()
	send := func(text string) bool {
		if pretty {
			text = strings.ReplaceAll(text, ", ", ",\r\n    ")
		}
		_, err := f.Write([]byte(text))
		return err == nil
	}
	if !send(greetingText) {
		return
	}
	dec := jsontext.NewDecoder(requests)
	negotiated := false
	for events := 0; ; {
		text, err := dec.ReadValue()
		if err != nil {
			return
		}
		var r request
		if err := json.Unmarshal(text, &r); err != nil {
			panic(err)
		}
		answer := `"return": {}`
		n, err := strconv.Atoi(strings.TrimPrefix(r.Execute, "c"))
		switch {
		case err == nil:
			k := token{N: n, Pad: strings.Repeat(`x{\"}`, f.rand.IntN(20))}
			if f.rand.IntN(50) == 0 {
				k.Pad = strings.Repeat("long ", 1000)
			}
			k.Check = k.sum()
			text, err := json.Marshal(k)
			if err != nil {
				panic(err)
			}
			answer = `"return": ` + string(text)
		case negotiated:
			answer = `"error": {"class": "CommandNotFound", "desc": "already complete"}`
		}
		negotiated = true
		if r.ID != nil {
			answer += `, "id": ` + string(r.ID)
		}
		answer = "{" + answer + "}\r\n"
		event := fmt.Sprintf("{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"E\", \"data\": {\"n\": %d}}\r\n", events)
		switch f.rand.IntN(4) {
		case 0:
			answer, events = event+answer, events+1
		case 1:
			answer, events = answer+event, events+1
		}
		if !send(answer) {
			return
		}
	}
}

// TestFaults talks to a server with a fault, three callers at a time. Whatever it
// is, no call gets another's reply, none waits forever, events stay in order, and
// no goroutine is left, which a bubble checks. QAPI_LONG=1 makes it
// more than a hundred thousand runs.
func TestFaults(t *testing.T) {
	runs := 300
	if os.Getenv("QAPI_LONG") != "" {
		runs = 17_000
	}
	for i := range faults {
		t.Run(faults[i].name, func(t *testing.T) {
			for seed := range runs {
				synctest.Test(t, func(t *testing.T) { faultRun(t, &faults[i], uint64(seed)) })
			}
		})
	}
}

func faultRun(t *testing.T, fault *fault, seed uint64) {
	ours, theirs := net.Pipe()
	r := rand.New(rand.NewPCG(seed, 0))
	f := &faulty{WriteCloser: theirs, fault: fault, rand: r, at: 1 + r.IntN(2500)}
	var server sync.WaitGroup
	server.Go(func() { f.serve(theirs, seed%3 == 0) })
	defer func() {
		server.Wait()
		if t.Failed() {
			t.Logf("fault %s, seed %d; the server sent:\n%q", fault.name, seed, f.record)
		}
	}()

	log := new(errorLog)
	var s *Subscription
	c, err := NewConn(t.Context(), ours, WithEventError(log.add), WithSetup(func(c *Conn) { s = c.Subscribe(nil) }))
	if err != nil {
		assert.False(t, fault.benign, "%v", err)
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	var callers sync.WaitGroup
	for i := range 3 {
		callers.Go(func() {
			for j := range 5 {
				n := 10*i + j
				var k token
				err := c.Execute(ctx, fmt.Sprintf("c%d", n), nil, &k)
				assert.NotErrorIs(t, err, context.DeadlineExceeded, "call %d hangs", n)
				if fault.benign {
					assert.NoError(t, err)
				}
				switch {
				case err != nil:
				case k.Check == k.sum():
					assert.Equal(t, n, k.N, "whose reply call %d got", n)
				default:
					assert.False(t, fault.benign, "call %d got %v", n, k)
				}
			}
		})
	}
	callers.Wait()
	c.Close()
	next := 0
	for e, err := range s.All(t.Context()) {
		var data struct {
			N *int `json:"n"`
		}
		switch {
		case err != nil:
			assert.ErrorIs(t, err, ErrClosed)
		case e.Name != "E" || e.Decode(&data) != nil || data.N == nil:
			assert.False(t, fault.benign, "event %v", e)
		default:
			assert.GreaterOrEqual(t, *data.N, next, "an event comes again, or late")
			if fault.benign {
				assert.LessOrEqual(t, *data.N, next, "an event is lost")
			}
			next = *data.N + 1
		}
	}
	synctest.Wait()
	if errs := log.take(); fault.benign {
		assert.Empty(t, errs, "reported")
	}
}

// FuzzConn lets a server send anything, and close the connection, while calls of every kind wait. All
// of them end, and so does every goroutine.
func FuzzConn(f *testing.F) {
	for _, test := range streams.All {
		f.Add([]byte(test.Text))
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			go io.Copy(io.Discard, theirs)
			c, err := NewConn(t.Context(), ours, WithoutHandshake(), WithEventError(func(error) {}))
			require.NoError(t, err)
			s := c.Subscribe(nil)
			c.OnEvent("", func(e Event) { e.Decode(new(any)) })
			var calls sync.WaitGroup
			for range 2 {
				calls.Go(func() { c.Execute(t.Context(), "a", nil, new(any)) })
				calls.Go(func() { c.ExecuteNoReply(t.Context(), "b", nil) })
				calls.Go(func() { c.RoundTrip(t.Context(), []byte(`{"id":1}`)) })
			}
			calls.Add(1)
			c.Go(t.Context(), "c", nil, nil, func(error) { calls.Done() })
			synctest.Wait()
			theirs.Write(stream)
			synctest.Wait()
			theirs.Close()
			calls.Wait()
			for _, err := range s.All(t.Context()) {
				if err != nil {
					assert.ErrorIs(t, err, ErrClosed)
				}
			}
		})
	})
}

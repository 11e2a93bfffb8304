package qmp

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A peer is the server's end of a connection, which the test controls step by step.
// It does not know the protocol, so that a test can send anything.
type peer struct {
	t   testing.TB
	rw  io.ReadWriteCloser
	dec *jsontext.Decoder
}

// A request is what a client sent.
type request struct {
	Execute string         `json:"execute"`
	OOB     string         `json:"exec-oob"`
	Args    jsontext.Value `json:"arguments"`
	ID      jsontext.Value `json:"id"`
	text    string
}

func newPeer(t testing.TB, rw io.ReadWriteCloser) *peer {
	return &peer{t: t, rw: rw, dec: jsontext.NewDecoder(rw)}
}

// next reads the next request.
func (p *peer) next() request {
	p.t.Helper()
	text, err := p.dec.ReadValue()
	if !assert.NoError(p.t, err, "peer: reading a request") {
		panic(err)
	}
	r := request{text: string(text)}
	assert.NoError(p.t, json.Unmarshal(text, &r), "peer: request %s", r.text)
	r.Args, r.ID = r.Args.Clone(), r.ID.Clone()
	return r
}

// expect reads the next request, which must be this text. A # in it stands for an id
// that no other client can have used.
func (p *peer) expect(text string) request {
	p.t.Helper()
	r := p.next()
	if len(r.ID) >= len("4503599627370496") { // 1<<52
		text = strings.Replace(text, "#", string(r.ID), 1)
	}
	assert.Equal(p.t, text, r.text, "peer: request")
	return r
}

func (p *peer) send(format string, args ...any) {
	p.t.Helper()
	_, err := fmt.Fprintf(p.rw, format, args...)
	assert.NoError(p.t, err, "peer: sending")
}

// answer sends a success reply to r, with its id as QEMU prints it.
func (p *peer) answer(r request, result string) {
	p.t.Helper()
	if r.ID == nil {
		p.send("{\"return\": %s}\r\n", result)
	} else {
		p.send("{\"return\": %s, \"id\": %s}\r\n", result, r.ID)
	}
}

// refuse sends an error reply to r, with its id as QEMU prints it.
func (p *peer) refuse(r request, member string) {
	p.t.Helper()
	if r.ID == nil {
		p.send("{\"error\": %s}\r\n", member)
	} else {
		p.send("{\"id\": %s, \"error\": %s}\r\n", r.ID, member)
	}
}

func (p *peer) event(name, data string) {
	p.t.Helper()
	if data != "" {
		data = `, "data": ` + data
	}
	p.send("{\"timestamp\": {\"seconds\": 1267020223, \"microseconds\": 435656}, \"event\": %q%s}\r\n", name, data)
}

const greetingText = `{"QMP": {"version": {"qemu": {"micro": 3, "minor": 1, "major": 11}, "package": "test"}, "capabilities": ["oob"]}}` + "\r\n"

// handshake plays the server's part of it.
func (p *peer) handshake() {
	p.t.Helper()
	p.negotiate(`{"execute":"qmp_capabilities","id":#}`)
}

func (p *peer) negotiate(request string) {
	p.t.Helper()
	p.send(greetingText)
	p.answer(p.expect(request), "{}")
}

// errorLog collects what a connection reports.
type errorLog struct {
	mu   sync.Mutex
	errs []error
}

func (l *errorLog) add(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.errs = append(l.errs, err)
}

func (l *errorLog) take() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	errs := l.errs
	l.errs = nil
	return errs
}

// A pair is a connection and its peer, in a synctest bubble.
type pair struct {
	*Conn
	peer *peer
	log  *errorLog
}

// bubble runs f in a bubble with a connection over net.Pipe that has negotiated.
// Errors that are reported and that f does not take fail the test.
func bubble(t *testing.T, f func(t *testing.T, p pair), opts ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		ours, theirs := net.Pipe()
		p := pair{peer: newPeer(t, theirs), log: new(errorLog)}
		var shaken sync.WaitGroup
		shaken.Go(func() {
			if newOptions(opts).oob {
				p.peer.negotiate(`{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":#}`)
			} else {
				p.peer.handshake()
			}
		})
		conn, err := NewConn(t.Context(), ours, append([]Option{WithEventError(p.log.add)}, opts...)...)
		require.NoError(t, err)
		shaken.Wait()
		p.Conn = conn
		defer func() { // also after FailNow: a bubble with goroutines that wait is a panic
			conn.Close()
			theirs.Close()
			synctest.Wait()
			assert.Empty(t, p.log.take(), "reported")
		}()
		f(t, p)
	})
}

// async runs f and returns a channel that gives its error.
func async(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// pending fails the test if done already has a value.
func pending(t *testing.T, what string, done <-chan error) {
	t.Helper()
	synctest.Wait()
	select {
	case err := <-done:
		t.Errorf("%s has returned: %v", what, err)
	default:
	}
}

// returned waits in synthetic time for done and returns its error.
func returned(t *testing.T, what string, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(time.Hour):
		t.Fatalf("%s does not return", what)
		return nil
	}
}

// wantErr fails the test unless err is target and its text is this.
func wantErr(t *testing.T, err, target error, text string) {
	t.Helper()
	assert.ErrorIs(t, err, target)
	assert.EqualError(t, err, text)
}

// background is a context that is never done but differs from t.Context, which is
// done before a test's last deferred calls.
var background = context.Background()

// long reports whether to take the time for the numbers that the project promises.
func long() bool { return os.Getenv("QAPI_LONG") != "" }

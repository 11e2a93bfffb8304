package qmp

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shake starts a handshake in a bubble. play is the server's part.
func shake(t *testing.T, play func(t *testing.T, p *peer), check func(t *testing.T, c *Conn, err error), opts ...Option) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		p := newPeer(t, theirs)
		played := make(chan struct{})
		go func() { defer close(played); play(t, p) }()
		log := new(errorLog)
		c, err := NewConn(t.Context(), ours, append([]Option{WithEventError(log.add)}, opts...)...)
		check(t, c, err)
		if c != nil {
			c.Close()
		}
		<-played
		if err != nil {
			if _, err := theirs.Read(make([]byte, 1)); err != io.EOF && err != io.ErrClosedPipe {
				t.Errorf("the stream is not closed: %v", err)
			}
		}
		theirs.Close()
	})
}

func TestHandshake(t *testing.T) {
	shake(t, func(t *testing.T, p *peer) { p.handshake() }, func(t *testing.T, c *Conn, err error) {
		if err != nil {
			t.Fatal(err)
		}
		want := Greeting{Version{11, 1, 3, "test"}, []string{"oob"}}
		if diff := cmp.Diff(want, c.Greeting()); diff != "" {
			t.Error(diff)
		}
		if got := c.Greeting().Version.String(); got != "11.1.3 (test)" {
			t.Errorf("version %s", got)
		}
	})
}

// A QEMU that starts may greet twice, and negotiate or not before the second time.
func TestSecondGreeting(t *testing.T) {
	const negotiation = `{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":#}`
	for name, second := range map[string]string{
		"it had not negotiated": `{"return": {}`,
		"it had negotiated":     `{"error": {"class": "CommandNotFound", "desc": "already complete"}`,
	} {
		t.Run(name, func(t *testing.T) {
			shake(t, func(t *testing.T, p *peer) {
				p.send(greetingText)
				r := p.expect(negotiation)
				p.send(greetingText)
				p.answer(r, "{}")
				p.send("%s, \"id\": %s}\r\n", second, p.expect(negotiation).ID)
				p.answer(p.expect(`{"exec-oob":"yank","id":1}`), "{}")
			}, func(t *testing.T, c *Conn, err error) {
				if err != nil {
					t.Fatal(err)
				}
				if err := c.With(OutOfBand()).Execute(t.Context(), "yank", nil, nil); err != nil {
					t.Error(err)
				}
			}, WithOOB())
		})
	}
	t.Run("refusal", func(t *testing.T) {
		shake(t, func(t *testing.T, p *peer) {
			p.send(greetingText)
			r := p.next()
			p.send(greetingText)
			p.answer(r, "{}")
			p.send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": %s}\r\n", p.next().ID)
		}, wantFailure(nil, "qmp: handshake: qmp: qmp_capabilities: no"))
	})
	t.Run("without end", func(t *testing.T) {
		shake(t, func(t *testing.T, p *peer) {
			p.send(greetingText)
			for range 4 {
				r := p.next()
				p.send(greetingText)
				p.answer(r, "{}")
			}
		}, wantFailure(nil, "qmp: handshake: the server sent its greeting again after each negotiation"))
	})
}

// wantFailure is a check that the handshake fails like this.
func wantFailure(target error, text string) func(*testing.T, *Conn, error) {
	return func(t *testing.T, c *Conn, err error) {
		t.Helper()
		if c != nil || err == nil {
			t.Fatal("the handshake succeeds")
		}
		if target != nil {
			wantErr(t, err, target, text)
		} else if text != "" && err.Error() != text {
			t.Errorf("error %q, want %q", err, text)
		}
	}
}

const hint = "; another client may be connected to this server, or it is still starting, or it is not a QMP server"

func TestHandshakeFails(t *testing.T) {
	t.Run("silence", func(t *testing.T) {
		shake(t, func(*testing.T, *peer) {}, wantFailure(context.DeadlineExceeded,
			"qmp: handshake: waiting for the greeting: context deadline exceeded: "+
				"no answer within 10s"+hint))
	})
	t.Run("silence after the greeting", func(t *testing.T) {
		shake(t, func(t *testing.T, p *peer) { p.send(greetingText); p.next() }, wantFailure(context.DeadlineExceeded,
			"qmp: handshake: waiting for the answer to qmp_capabilities: context deadline exceeded: no answer within 2s"+hint), WithHandshakeTimeout(2*time.Second))
	})
	t.Run("not QMP", func(t *testing.T) {
		shake(t, func(t *testing.T, p *peer) { p.send("QEMU 7.2 monitor\r\n(qemu) ") }, wantFailure(context.DeadlineExceeded,
			"qmp: handshake: waiting for the greeting: context deadline exceeded: no answer within 1s"+hint+
				`; before that: 17 bytes from the server are not a message: it is not a JSON object: "QEMU 7.2 monitor\r"`), WithHandshakeTimeout(time.Second))
	})
	t.Run("the end", func(t *testing.T) {
		shake(t, func(t *testing.T, p *peer) { p.rw.Close() }, wantFailure(io.EOF, "qmp: handshake: connection closed by the server"))
	})
	t.Run("a greeting of another kind", func(t *testing.T) {
		shake(t, func(t *testing.T, p *peer) { p.send(`{"QMP": {"version": 1}}`) },
			func(t *testing.T, c *Conn, err error) {
				want := "qmp: handshake: greeting: member /version: an object is expected for ServerVersion, not a number"
				if err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
					t.Errorf("got %v", err)
				}
			})
	})
	t.Run("refusal", func(t *testing.T) {
		shake(t, func(t *testing.T, p *peer) {
			p.send(greetingText)
			p.send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": %s}\r\n", p.next().ID)
		},
			func(t *testing.T, c *Conn, err error) {
				if e, ok := errors.AsType[*Error](err); !ok || e.Command != "qmp_capabilities" {
					t.Errorf("got %v", err)
				}
			})
	})
}

// The caller's context counts, and noise before the greeting does not.
func TestHandshakeContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err := NewConn(ctx, ours)
		wantErr(t, err, context.DeadlineExceeded, "qmp: handshake: waiting for the greeting: context deadline exceeded"+hint)
		if took := time.Since(start); took != time.Second {
			t.Errorf("it took %v", took)
		}
	})
	shake(t, func(t *testing.T, p *peer) {
		p.send("\r\nwarning: x\r\n{\"return\": {}}\r\n{\"event\": \"STOP\"}\r\n")
		p.handshake()
	}, func(t *testing.T, c *Conn, err error) {
		if err != nil {
			t.Fatal(err)
		}
	})
}

// Not even an event right after the negotiation's reply is missed.
func TestSetup(t *testing.T) {
	var s *Subscription
	handled := make(chan Event, 1)
	shake(t, func(t *testing.T, p *peer) {
		p.send(greetingText)
		p.send("{\"return\": {}, \"id\": %s}\r\n{\"event\": \"STOP\"}\r\n", p.next().ID)
	}, func(t *testing.T, c *Conn, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if e, err := s.Next(t.Context()); err != nil || e.Name != "STOP" {
			t.Errorf("got %v, %v", e, err)
		}
	}, WithSetup(func(c *Conn) { s = c.Subscribe(nil) }), WithSetup(func(c *Conn) {
		c.OnEvent("STOP", func(e Event) { handled <- e })
	}))
	if e := <-handled; e.Name != "STOP" {
		t.Errorf("handled %v", e)
	}
}

func TestWithoutHandshake(t *testing.T) {
	shake(t, func(t *testing.T, p *peer) {
		p.answer(p.expect(`{"execute":"guest-ping","id":#}`), "{}")
	}, func(t *testing.T, c *Conn, err error) {
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Execute(t.Context(), "guest-ping", nil, nil); err != nil {
			t.Error(err)
		}
		if v := c.Greeting().Version.String(); v != "0.0.0" {
			t.Errorf("version %s", v)
		}
	}, WithoutHandshake())
}

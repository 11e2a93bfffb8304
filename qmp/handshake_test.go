package qmp

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
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
			_, err := theirs.Read(make([]byte, 1))
			assert.True(t, err == io.EOF || err == io.ErrClosedPipe, "the stream is not closed: %v", err)
		}
		theirs.Close()
	})
}

func TestHandshake(t *testing.T) {
	shake(t, func(t *testing.T, p *peer) { p.handshake() }, func(t *testing.T, c *Conn, err error) {
		require.NoError(t, err)
		want := Greeting{Version{11, 1, 3, "test"}, []string{"oob"}}
		assert.Empty(t, cmp.Diff(want, c.Greeting()))
		assert.Equal(t, "11.1.3 (test)", c.Greeting().Version.String())
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
				require.NoError(t, err)
				assert.NoError(t, c.With(OutOfBand()).Execute(t.Context(), "yank", nil, nil))
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
		require.Error(t, err, "the handshake succeeds")
		require.Nil(t, c, "a connection as well as an error")
		if target != nil {
			wantErr(t, err, target, text)
		} else if text != "" {
			assert.EqualError(t, err, text)
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
				assert.Regexp(t, "^qmp: handshake: greeting: member /version: an object is expected for ServerVersion, not a number", err)
			})
	})
	t.Run("refusal", func(t *testing.T) {
		shake(t, func(t *testing.T, p *peer) {
			p.send(greetingText)
			p.send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": %s}\r\n", p.next().ID)
		},
			func(t *testing.T, c *Conn, err error) {
				if e := new(Error); assert.ErrorAs(t, err, &e) {
					assert.Equal(t, "qmp_capabilities", e.Command)
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
		assert.Equal(t, time.Second, time.Since(start))
	})
	shake(t, func(t *testing.T, p *peer) {
		p.send("\r\nwarning: x\r\n{\"return\": {}}\r\n{\"event\": \"STOP\"}\r\n")
		p.handshake()
	}, func(t *testing.T, c *Conn, err error) {
		require.NoError(t, err)
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
		require.NoError(t, err)
		e, err := s.Next(t.Context())
		assert.NoError(t, err)
		assert.Equal(t, "STOP", e.Name)
	}, WithSetup(func(c *Conn) { s = c.Subscribe(nil) }), WithSetup(func(c *Conn) {
		c.OnEvent("STOP", func(e Event) { handled <- e })
	}))
	assert.Equal(t, "STOP", (<-handled).Name)
}

func TestWithoutHandshake(t *testing.T) {
	shake(t, func(t *testing.T, p *peer) {
		p.answer(p.expect(`{"execute":"guest-ping","id":#}`), "{}")
	}, func(t *testing.T, c *Conn, err error) {
		require.NoError(t, err)
		assert.NoError(t, c.Execute(t.Context(), "guest-ping", nil, nil))
		assert.Equal(t, "0.0.0", c.Greeting().Version.String())
	}, WithoutHandshake())
}

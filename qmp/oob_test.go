package qmp

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// Forty callers: seven commands are in flight, the others are sent in the order of
// the calls, and an out-of-band command overtakes all of them.
func TestOutOfBand(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		const callers = 40
		ends := make([]<-chan error, callers)
		for i := range callers {
			ends[i] = async(func() error { return p.Execute(t.Context(), fmt.Sprint("c", i), nil, nil) })
			synctest.Wait()
		}
		var sent []request
		for i := range maxInband {
			sent = append(sent, p.peer.expect(fmt.Sprintf(`{"execute":"c%d","id":%d}`, i, i+1)))
		}
		var got int
		oob := p.With(OutOfBand())
		urgent := async(func() error {
			return oob.Execute(t.Context(), "yank", map[string]int{"n": 1}, &got)
		})
		r := p.peer.expect(`{"exec-oob":"yank","arguments":{"n":1},"id":8}`)
		p.peer.answer(r, "7")
		assert.NoError(t, returned(t, "yank", urgent))
		assert.Equal(t, 7, got)
		for i := range callers {
			p.peer.answer(sent[i], "{}")
			assert.NoError(t, returned(t, sent[i].Execute, ends[i]))
			if next := i + maxInband; next < callers {
				r := p.peer.next()
				assert.Equal(t, fmt.Sprint("c", next), r.Execute)
				assert.NotNil(t, r.ID, "%s has no id", r.text)
				sent = append(sent, r)
			}
		}
	}, WithOOB())
}

// An abandoned command stays in flight, and counts.
func TestOutOfBandAbandoned(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		ctx, cancel := context.WithCancel(t.Context())
		var ends []<-chan error
		for range maxInband {
			ends = append(ends, async(func() error { return p.Execute(ctx, "slow", nil, nil) }))
		}
		var sent []request
		for range maxInband {
			sent = append(sent, p.peer.next())
		}
		cancel()
		for _, end := range ends {
			wantErr(t, returned(t, "slow", end), ErrAbandoned, "qmp: slow: context canceled: "+ErrAbandoned.Error())
		}
		next := async(func() error { return p.Execute(t.Context(), "next", nil, nil) })
		pending(t, "next", next)
		p.peer.answer(sent[0], "{}")
		p.peer.answer(p.peer.next(), "{}")
		assert.NoError(t, returned(t, "next", next))
		for _, r := range sent[1:] {
			p.peer.answer(r, "{}")
		}
	}, WithOOB())
}

// The reply to an out-of-band command does not show that earlier commands get no reply, even
// if a reply was lost; and a whole message does not delay an out-of-band command.
func TestOutOfBandOvertakes(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		oob := p.With(OutOfBand())
		slow := async(func() error { return p.Execute(t.Context(), "slow", nil, nil) })
		r := p.peer.next()
		p.peer.send("garbage\n")
		probe := p.peer.expect(`{"execute":"qmp_capabilities","id":#}`)
		fast := async(func() error { return oob.Execute(t.Context(), "fast", nil, nil) })
		p.peer.answer(p.peer.expect(`{"exec-oob":"fast","id":3}`), "{}")
		assert.NoError(t, returned(t, "fast", fast))
		pending(t, "slow", slow)
		p.peer.answer(r, "{}")
		assert.NoError(t, returned(t, "slow", slow))
		p.peer.answer(probe, "{}")
		if errs := p.log.take(); assert.Len(t, errs, 1, "reported") {
			assert.ErrorContains(t, errs[0], "garbage")
		}

		whole := async(func() error {
			answer, err := p.RoundTrip(t.Context(), []byte(`{"execute":"whole","id":1}`))
			assert.Equal(t, `{"return": "whole", "id": 1}`, string(answer))
			return err
		})
		w := p.peer.next()
		fast = async(func() error { return oob.Execute(t.Context(), "fast", nil, nil) })
		p.peer.answer(p.peer.expect(`{"exec-oob":"fast","id":2}`), "{}")
		assert.NoError(t, returned(t, "fast", fast))
		p.peer.answer(w, `"whole"`)
		assert.NoError(t, returned(t, "whole", whole))
	}, WithOOB())
}

func TestOutOfBandEnds(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		end := async(func() error { return p.With(OutOfBand()).Execute(t.Context(), "yank", nil, nil) })
		p.peer.next()
		p.Close()
		wantErr(t, returned(t, "yank", end), ErrClosed, "qmp: yank: connection closed")
	}, WithOOB())
}

func TestOutOfBandNotNegotiated(t *testing.T) {
	bubble(t, func(t *testing.T, p pair) {
		err := p.With(OutOfBand()).Execute(t.Context(), "yank", nil, nil)
		wantErr(t, err, ErrNoOOB, "qmp: yank: out-of-band execution was not negotiated")
		got := make(chan error, 1)
		p.With(OutOfBand()).Go(t.Context(), "yank", nil, nil, func(err error) { got <- err })
		wantErr(t, <-got, ErrNoOOB, "qmp: yank: out-of-band execution was not negotiated")
	})
}

func TestOutOfBandNotOffered(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() { _, _ = io.WriteString(theirs, strings.Replace(greetingText, `"oob"`, "", 1)) }()
	_, err := NewConn(t.Context(), ours, WithOOB())
	const want = "qmp: handshake: the server does not offer out-of-band execution"
	assert.EqualError(t, err, want)
}

// Real QEMUs, with forty callers at work all the time.
func TestQEMUOutOfBand(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := NewConn(ctx, q.Start(t, "-qmp"), WithOOB())
		require.NoError(t, err)
		defer c.Close()
		var ends []<-chan error
		for range 40 {
			ends = append(ends, async(func() error {
				for range 20 {
					var name map[string]any
					if err := c.Execute(ctx, "query-name", nil, &name); err != nil {
						return err
					}
				}
				return nil
			}))
		}
		oob := c.With(OutOfBand())
		for range 20 { // every release has migrate-pause, which there is nothing for
			err := oob.Execute(ctx, "migrate-pause", nil, nil)
			var refused *Error
			require.ErrorAs(t, err, &refused, "migrate-pause")
			assert.NotContains(t, refused.Desc, "OOB")
			assert.NotContains(t, refused.Desc, "exec-oob")
		}
		err = oob.Execute(ctx, "query-name", nil, nil)
		assert.ErrorContains(t, err, "OOB")
		for _, end := range ends {
			assert.NoError(t, <-end)
		}
	})
}

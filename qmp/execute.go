package qmp

import (
	"bytes"
	"context"
	"fmt"
	"sync"

	"github.com/goqapi/goqapi/qmp/codec"
	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// Execute issues a command and waits for its reply.
//
// args must encode to a JSON object, the command's arguments; if args is nil or
// encodes to {}, the request has no arguments. The reply is stored in the value that
// result points to, unless result is nil. A pointer to a json.RawMessage or a
// jsontext.Value gets the reply as JSON.
//
// The error is an [*Error] if the server refused the command. It wraps [ErrClosed] if the
// connection ended first. If ctx ended first, it wraps the error of ctx, and also
// [ErrAbandoned] if the command had already been sent. If the arguments cannot be encoded,
// nothing is sent. [MayHaveRun] reports whether the command may have run in spite of an
// error.
//
// Decoding may use memory in proportion to the reply's text, and ends with ctx.
//
// At most 32 commands are in flight at a time; others wait in the client, and are
// not sent if their context ends meanwhile. So after a stall, a server executes few
// commands for which nobody waits any more.
func (c *Conn) Execute(ctx context.Context, command string, args, result any) error {
	if c.again != nil {
		return c.again.do(ctx, c, command, func(now *Conn) error { return now.Execute(ctx, command, args, result) })
	}
	call, err := c.newCallWith(ctx, command, plain, args)
	if err != nil {
		return err
	}
	return c.complete(ctx, call, reflected(result))
}

// executeInto is Execute for a command without arguments whose result is decoded by a
// function; result may be nil. It must not reach Execute: see bind.Execute.
func (c *Conn) executeInto(ctx context.Context, command string, result codec.Into) error {
	if c.again != nil {
		return c.again.do(ctx, c, command, func(now *Conn) error { return now.executeInto(ctx, command, result) })
	}
	call, err := c.newCall(ctx, command, plain)
	if err != nil {
		return err
	}
	if result == nil {
		return c.complete(ctx, call, nil)
	}
	return c.complete(ctx, call, func(ctx context.Context, text []byte) error { return decodeInto(ctx, text, result) })
}

// complete sends a call, waits until it is finished, and decodes its answer.
func (c *Conn) complete(ctx context.Context, call *call, decode decodeFunc) error {
	ctx, cancel := c.limit(ctx, call.command) // for decoding, too
	defer cancel()
	call, err := c.wait(ctx, call)
	if err != nil {
		return err
	}
	s := c.session
	if _, err = call.outcome(); err == nil {
		err = s.store(ctx, call, decode)
	}
	call.watch.end(err)
	s.recycle(call)
	return err
}

// ExecuteNoReply issues a command that has no reply if it succeeds, such as
// the guest agent's guest-shutdown. It returns nil when the server closes the connection,
// an error that wraps [ErrClosed] if writing the command had failed before, the server's error
// if it refuses, and ctx's error when ctx ends first. If the command succeeds and the server
// keeps the connection open, nothing shows the success: ExecuteNoReply then returns ctx's error. It
// can also return nil for a command that the server has not read, if the server ends at that moment.
func (c *Conn) ExecuteNoReply(ctx context.Context, command string, args any) error {
	if c.again != nil {
		return c.again.do(ctx, c, command, func(now *Conn) error { return now.ExecuteNoReply(ctx, command, args) })
	}
	call, err := c.newCallWith(ctx, command, noReply, args)
	if err != nil {
		return err
	}
	ctx, cancel := c.limit(ctx, command)
	defer cancel()
	if call, err = c.wait(ctx, call); err != nil {
		return err
	}
	_, err = call.outcome()
	call.watch.end(err)
	c.session.recycle(call)
	return err
}

// RoundTrip sends a whole message as it is, byte for byte, and returns the whole
// answer: the next message from the server that is not an event. To be sure that this is
// the answer, RoundTrip waits until every other call is answered before it sends the message,
// and later calls wait for the answer. message must be one JSON object.
//
// When ctx ends, the error is that of [Conn.Execute], and the late answer is
// dropped.
func (c *Conn) RoundTrip(ctx context.Context, message []byte) ([]byte, error) {
	if c.again != nil {
		var answer []byte
		err := c.again.do(ctx, c, wholeName, func(now *Conn) (err error) {
			answer, err = now.RoundTrip(ctx, message)
			return err
		})
		return answer, err
	}
	call, err := c.newWhole(ctx, message)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.limit(ctx, wholeName)
	defer cancel()
	if call, err = c.wait(ctx, call); err != nil {
		return nil, err
	}
	answer, err := call.outcome()
	answer = bytes.Clone(answer) // it may lie in memory that is used again
	call.watch.end(err)
	c.session.recycle(call)
	return answer, err
}

// wholeName stands for a command's name in errors about a whole message.
const wholeName = "message"

// newWhole returns a call for a message that the user built.
func (c *Conn) newWhole(ctx context.Context, message []byte) (*call, error) {
	watch := c.session.traceCall(ctx, "")
	number, err := wire.Whole(message)
	if err != nil {
		err = unsent(err)
		watch.end(err)
		return nil, err
	}
	s := wire.NewScratch()
	s.Buf.Write(message)
	call := c.session.newCall(wholeName, whole, s)
	call.watch, call.wholeID = watch, number
	call.files = c.opts.files
	return call, nil
}

// wait submits a call and waits until it is finished. If ctx ends first, the call
// is abandoned, and the error says so.
func (c *Conn) wait(ctx context.Context, call *call) (*call, error) {
	watch := call.watch
	if c.core.settingUp.Load() {
		err := fmt.Errorf("qmp: %s: %w", call.command, unsent(errSettingUp))
		watch.end(err)
		return nil, err
	}
	if ctx.Err() != nil {
		err := tooLate(ctx, call.command)
		watch.end(err)
		return nil, err
	}
	s := c.session
	s.submit(call)
	select {
	case <-call.done:
		return call, nil
	case <-ctx.Done():
		if err := s.abandon(call, contextError(ctx)); err != nil {
			watch.end(err)
			return nil, err
		}
		<-call.done
		return call, nil
	}
}

// Go issues a command as [Conn.Execute] does and returns at once. done is called
// once, on a worker (see [WithWorkers]), with the error that Execute would
// return; result is set before. done may issue commands itself. It may be nil.
//
// The command may not have been sent yet when Go returns: if [Conn.Close] follows at
// once, done can get an error that wraps [ErrNotSent]. To avoid this, call [Conn.WaitIdle]
// before Close.
func (c *Conn) Go(ctx context.Context, command string, args, result any, done func(error)) {
	if done == nil {
		done = func(error) {}
	}
	if c.again != nil {
		begin := func(ctx context.Context, now *Conn, done func(error)) { now.Go(ctx, command, args, result, done) }
		c.again.start(ctx, c, command, begin, done)
		return
	}
	s := c.session
	cb := &callback{session: s, done: done}
	cb.take = func(call *call) error { return s.store(ctx, call, reflected(result)) }
	call, err := c.newCallWith(ctx, command, plain, args)
	c.start(ctx, call, cb, err)
}

// GoRoundTrip sends a message as [Conn.RoundTrip] does and returns at once; it calls done
// as [Conn.Go] does. Messages are sent in the order of the calls.
func (c *Conn) GoRoundTrip(ctx context.Context, message []byte, done func(answer []byte, err error)) {
	if done == nil {
		done = func([]byte, error) {}
	}
	var whole []byte
	if c.again != nil {
		begin := func(ctx context.Context, now *Conn, done func(error)) {
			now.GoRoundTrip(ctx, message, func(answer []byte, err error) {
				whole = answer
				done(err)
			})
		}
		c.again.start(ctx, c, wholeName, begin, func(err error) { done(whole, err) })
		return
	}
	cb := &callback{session: c.session, done: func(err error) { done(whole, err) }}
	cb.take = func(call *call) error {
		whole = bytes.Clone(call.answer) // it may lie in memory that is used again
		return nil
	}
	call, err := c.newWhole(ctx, message)
	c.start(ctx, call, cb, err)
}

// start submits a call and runs cb when it has ended. If err is set there is no call, and
// cb gets err.
func (c *Conn) start(ctx context.Context, call *call, cb *callback, err error) {
	s := c.session
	s.mu.Lock()
	s.live.add()
	s.mu.Unlock()
	if err == nil {
		cb.watch = call.watch
		if ctx.Err() != nil {
			err = tooLate(ctx, call.command)
		}
	}
	if err != nil {
		cb.err = err
		s.pool.add(cb)
		return
	}
	call.then = cb
	ctx, cancel := c.limit(ctx, call.command)
	stop := context.AfterFunc(ctx, func() { _ = s.abandon(call, contextError(ctx)) }) // cb gets its error
	cb.stopWith(func() {
		stop()
		cancel()
	})
	s.submit(call)
}

// A callback is run when a call made by Go has ended.
type callback struct {
	session *session
	call    *call // finished; nil if err is set
	err     error
	watch   *watcher
	take    func(*call) error
	done    func(error)

	once sync.Once // the first of run and stopWith
	stop func()
}

// stopWith sets the function f, which run calls. If run was called before, since ctx can end at
// once, stopWith calls f itself.
func (cb *callback) stopWith(f func()) {
	first := false
	cb.once.Do(func() { cb.stop, first = f, true })
	if !first {
		f()
	}
}

func (cb *callback) run(workerID) {
	defer func() {
		cb.session.mu.Lock()
		defer cb.session.mu.Unlock()
		cb.session.live.done()
	}()
	cb.once.Do(func() {})
	err := cb.err
	if err == nil {
		if _, err = cb.call.outcome(); err == nil {
			err = cb.take(cb.call)
		}
		cb.call.s.Release()
		wire.FreeBuffer(cb.call.buffer)
	}
	if cb.stop != nil {
		cb.stop()
	}
	cb.watch.end(err)
	cb.done(err)
}

package qmptest

import (
	"bufio"
	"context"
	rawjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qmp"
)

// A session is one client's connection.
type session struct {
	srv        *Server
	conn       net.Conn
	out        *outbox
	ctx        context.Context
	cancel     context.CancelFunc
	negotiated atomic.Bool
	oob        atomic.Bool

	filesMu sync.Mutex
	files   []*os.File // the files of the last request that had files, until one is taken
}

func newSession(srv *Server, conn net.Conn) *session {
	c := &session{srv: srv, conn: conn, out: newOutbox()}
	c.ctx, c.cancel = context.WithCancel(srv.ctx)
	c.negotiated.Store(srv.agent)
	if srv.slow.bytes > 0 {
		c.conn = &slowConn{conn, srv.slow, c.ctx.Done()}
	}
	return c
}

// inBand is how many commands QEMU reads ahead.
const inBand = 8

// run serves the client until it leaves.
func (c *session) run() {
	in, queue := newInbox(), make(chan *Request, inBand)
	var others, workers sync.WaitGroup
	others.Go(func() { c.out.drain(c.conn) })
	others.Go(func() {
		defer c.cancel()
		in.fill(c.conn)
	})
	if !c.srv.agent {
		f := c.srv.faultsOf(greeting)
		pause(c.ctx, f.delay)
		c.deliver(f, c.srv.greeting(), nil)
	}
	for _, text := range c.srv.takeLeft() {
		c.send(text)
	}
	workers.Go(func() {
		defer close(queue)
		c.handling(func() { c.read(in, queue) })
	})
	workers.Go(func() { c.handling(func() { c.work(queue) }) })
	workers.Wait()
	in.stop()
	c.out.end()
	others.Wait()
	c.conn.Close()
	in.close()
	closeFiles(c.files)
}

// handling calls f, which calls handlers. If a handler ends its goroutine, as t.FailNow does,
// handling ends the connection.
func (c *session) handling(f func()) {
	returned := false
	defer func() {
		if !returned {
			c.out.end()
			c.cancel()
		}
	}()
	f()
	returned = true
}

// work executes commands one at a time and in order.
func (c *session) work(queue <-chan *Request) {
	for req := range queue {
		c.setFiles(req.files)
		if c.srv.leftovers && c.ctx.Err() != nil || !c.srv.agentState.await(c.srv.ctx, req.agentRun) {
			continue
		}
		if req.broken != nil {
			c.send(errorText(req.id, req.broken))
			continue
		}
		c.execute(req)
	}
}

// read reads requests until the client has left, and executes those out of band at
// once.
func (c *session) read(box *inbox, queue chan<- *Request) {
	in := bufio.NewReader(box)
	for {
		text, err := readMessage(in, c.srv.agent)
		if err != nil && !errors.Is(err, errTooLong) {
			return
		}
		req := &Request{}
		if err == nil {
			req, err = c.parse(text)
		}
		req.session, req.files = c, box.files(in.Buffered())
		req.broken, req.agentRun = err, c.srv.agentState.current()
		if err == nil && !c.srv.handshake(req.Command) {
			c.srv.log(req.Call)
		}
		if err == nil && req.OOB {
			c.setFiles(req.files)
			c.execute(req)
			continue
		}
		select {
		case queue <- req: // also those of a client that has left
			continue
		default:
		}
		select {
		case queue <- req:
		case <-c.ctx.Done():
			closeFiles(req.files)
			return
		}
	}
}

// parse reads a request. The errors are those that QEMU returns before it looks
// for the command; the request then has the id, if that could be read.
func (c *session) parse(text []byte) (*Request, error) {
	var members map[string]jsontext.Value
	req := &Request{}
	if err := json.Unmarshal(text, &members); err != nil {
		return req, generic("this is not a JSON object: " + err.Error())
	}
	req.id = members["id"]
	named := false
	for _, name := range slices.Sorted(maps.Keys(members)) {
		value := members[name]
		switch name {
		case "id":
			continue
		case "arguments":
			if value.Kind() != '{' {
				return req, generic("arguments are an object")
			}
			req.Arguments = rawjson.RawMessage(value)
			continue
		case "execute":
		case "exec-oob":
			if !c.oob.Load() {
				return req, generic("exec-oob was not negotiated")
			}
			req.OOB = true
		default:
			return req, generic(fmt.Sprintf("a request has no member '%s'", name))
		}
		if named || value.Kind() != '"' || json.Unmarshal(value, &req.Command) != nil {
			return req, generic("a request has one command, a string")
		}
		named = true
	}
	if !named {
		return req, generic("a request needs the member 'execute'")
	}
	return req, nil
}

// execute executes a request and replies.
func (c *session) execute(req *Request) {
	f := c.srv.faultsOf(req.Command)
	pause(c.srv.ctx, c.srv.stall())
	pause(c.ctx, f.delay)
	result, err := c.dispatch(req)
	id := req.id
	if f.noID {
		id = nil
	}
	text, mark := returnText(id, result), []byte(nil)
	switch {
	case errors.Is(err, ErrNoReply):
		f.drop = true
	case err != nil:
		text = errorText(id, c.srv.checkError(req.Command, err))
	case c.srv.agent && req.Command == "guest-sync-delimited":
		mark = []byte{resync}
	case c.srv.silent(req.Command):
		f.drop = true
	}
	if c.srv.leftovers && c.ctx.Err() != nil {
		if !f.drop {
			c.srv.leave(f.shaped(text))
		}
	} else {
		c.deliver(f, text, mark)
	}
	for _, f := range req.after {
		f()
	}
}

// deliver sends a message with its faults. mark is sent before it.
func (c *session) deliver(f faults, text, mark []byte) {
	c.out.write([]byte(f.noise))
	for _, stray := range f.strays {
		c.send(stray)
	}
	text = append(mark, f.spaced(c.line(f.shaped(text)))...)
	switch {
	case f.cut:
		c.out.write(text[:max(0, min(f.most, len(text)))])
		c.out.end()
	case !f.drop:
		c.out.write(text)
	}
	if f.hangUp {
		c.out.end()
	}
}

// pause returns after a while, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// dispatch executes a request and returns the result as JSON.
func (c *session) dispatch(req *Request) ([]byte, error) {
	negotiation := !c.srv.agent && req.Command == "qmp_capabilities"
	if !negotiation && !c.negotiated.Load() {
		return nil, &qmp.Error{Class: qmp.ClassCommandNotFound, Desc: "qmp_capabilities comes first"}
	}
	h := c.srv.follow(req.Call)
	if err := c.srv.admit(req); err != nil {
		return nil, err
	}
	if h == nil {
		h = c.srv.Handler(req.Command)
	}
	switch {
	case negotiation:
		h = c.negotiateAfter(h)
	case h == nil && c.srv.scripted(req.Command):
		h = func(context.Context, *Request) (any, error) { return nil, nil }
	case h == nil && c.srv.unchecked:
		return nil, notFound(req.Command)
	case h == nil:
		return nil, generic(c.srv.fail("nothing executes %s here; see Handle and Reply", req.Command).Error())
	}
	result, err := h(context.WithValue(c.ctx, requestKey{}, req), req)
	if err != nil {
		return nil, err
	}
	r := c.srv.newReply(req.Command, result)
	return r.text, r.err
}

// negotiateAfter executes qmp_capabilities, unless the user's handler, if there is one,
// refuses.
func (c *session) negotiateAfter(h Handler) Handler {
	if h == nil {
		return c.negotiate
	}
	return func(ctx context.Context, req *Request) (any, error) {
		if _, err := h(ctx, req); err != nil {
			return nil, err
		}
		return c.negotiate(ctx, req)
	}
}

// negotiate executes qmp_capabilities.
func (c *session) negotiate(_ context.Context, req *Request) (any, error) {
	if c.negotiated.Load() {
		return nil, &qmp.Error{Class: qmp.ClassCommandNotFound, Desc: "the negotiation is over"}
	}
	var args struct {
		Enable []string `json:"enable"`
	}
	if err := req.Decode(&args); err != nil {
		return nil, err
	}
	c.oob.Store(slices.Contains(args.Enable, "oob"))
	c.negotiated.Store(true)
	return nil, nil
}

// send queues a message for the client.
func (c *session) send(text []byte) { c.out.write(c.line(text)) }

// line returns a message as it is sent.
func (c *session) line(text []byte) []byte {
	if c.srv.pretty {
		text = indented(text)
	}
	if c.srv.agent {
		return append(slices.Clip(text), '\n')
	}
	return append(slices.Clip(text), "\r\n"...)
}

// errClass returns the class and the description with which an error is sent.
func errClass(err error) (class, desc string) {
	if e, ok := errors.AsType[*qmp.Error](err); ok {
		return e.Class, e.Desc
	}
	return qmp.ClassGenericError, err.Error()
}

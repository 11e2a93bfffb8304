package qmptest

import (
	"bufio"
	"context"
	rawjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qmp"
)

// A Request is a command on its way to a handler.
type Request struct {
	Call
	id    jsontext.Value // nil: none
	after []func()
}

// Decode stores the arguments in the value that v points to. Its error is the
// one that a client should see.
func (r *Request) Decode(v any) error {
	if r.Arguments == nil {
		return nil
	}
	if err := json.Unmarshal(r.Arguments, v); err != nil {
		return &qmp.Error{Command: r.Command, Class: qmp.ClassGenericError, Desc: err.Error()}
	}
	return nil
}

// After has f called behind the reply, for events that come later than it.
func (r *Request) After(f func()) { r.after = append(r.after, f) }

// A session is one client's connection.
type session struct {
	srv        *Server
	conn       net.Conn
	out        *outbox
	ctx        context.Context
	cancel     context.CancelFunc
	negotiated atomic.Bool
	oob        atomic.Bool
}

func newSession(srv *Server, conn net.Conn) *session {
	c := &session{srv: srv, conn: conn, out: newOutbox()}
	c.ctx, c.cancel = context.WithCancel(srv.ctx)
	return c
}

// inBand is how many commands QEMU reads ahead.
const inBand = 8

// run talks to the client until it leaves. Commands are executed one at a time
// and in order, those out of band at once.
func (c *session) run() {
	var others sync.WaitGroup
	others.Go(func() { c.out.drain(c.conn) })
	queue := make(chan *Request, inBand)
	others.Go(func() {
		for req := range queue {
			c.execute(req)
		}
		c.out.end()
	})
	c.send(c.srv.greeting())
	c.read(queue)
	close(queue)
	c.cancel()
	others.Wait()
	c.conn.Close()
}

// read reads requests until the client leaves.
func (c *session) read(queue chan<- *Request) {
	in := bufio.NewReader(c.conn)
	for {
		text, err := readMessage(in)
		if err != nil {
			return
		}
		req, err := c.parse(text)
		if err == nil && req.Command != "qmp_capabilities" {
			c.srv.log(req.Call)
		}
		switch {
		case err != nil:
			c.send(errorText(req.id, err))
		case req.OOB:
			c.execute(req)
		default:
			select {
			case queue <- req:
			case <-c.ctx.Done():
				return
			}
		}
	}
}

// parse reads a request. The errors are those that QEMU makes before it looks
// for the command; the request has the id as far as it is known.
func (c *session) parse(text []byte) (*Request, error) {
	var members map[string]jsontext.Value
	req := &Request{}
	if err := json.Unmarshal(text, &members); err != nil {
		return req, generic("this is no JSON object: " + err.Error())
	}
	req.id = members["id"]
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
		if req.Command != "" || json.Unmarshal(value, &req.Command) != nil {
			return req, generic("a request has one command, a string")
		}
	}
	if req.Command == "" {
		return req, generic("a request needs the member 'execute'")
	}
	return req, nil
}

func generic(desc string) *qmp.Error { return &qmp.Error{Class: qmp.ClassGenericError, Desc: desc} }

// execute executes a request and replies.
func (c *session) execute(req *Request) {
	result, err := c.dispatch(req)
	if err == nil {
		var text []byte
		if text, err = returnText(req.id, result); err == nil {
			c.send(text)
		}
	}
	if err != nil {
		c.send(errorText(req.id, err))
	}
	for _, f := range req.after {
		f()
	}
}

func (c *session) dispatch(req *Request) (any, error) {
	if req.Command == "qmp_capabilities" {
		return nil, c.negotiate(req)
	}
	if !c.negotiated.Load() {
		return nil, &qmp.Error{Class: qmp.ClassCommandNotFound, Desc: "qmp_capabilities comes first"}
	}
	h := c.srv.handler(req.Command)
	if h == nil {
		return nil, &qmp.Error{Class: qmp.ClassCommandNotFound, Desc: fmt.Sprintf("nothing handles command '%s'", req.Command)}
	}
	return h(c.ctx, req)
}

func (c *session) negotiate(req *Request) error {
	if c.negotiated.Load() {
		return &qmp.Error{Class: qmp.ClassCommandNotFound, Desc: "the negotiation is over"}
	}
	var args struct {
		Enable []string `json:"enable"`
	}
	if err := req.Decode(&args); err != nil {
		return err
	}
	for _, capability := range args.Enable {
		if capability != "oob" {
			return generic(fmt.Sprintf("there is no capability '%s'", capability))
		}
	}
	c.oob.Store(slices.Contains(args.Enable, "oob"))
	c.negotiated.Store(true)
	return nil
}

// send queues a message for the client.
func (c *session) send(text []byte) {
	if c.srv.pretty {
		text = indented(text)
	}
	c.out.write(append(text, "\r\n"...))
}

// builtins are the commands that every server has.
func (s *Server) builtins() {
	s.handlers["query-version"] = func(context.Context, *Request) (any, error) { return s.versionInfo(), nil }
	s.handlers["query-commands"] = func(context.Context, *Request) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		type command struct {
			Name string `json:"name"`
		}
		list := []command{{"qmp_capabilities"}}
		for _, name := range slices.Sorted(maps.Keys(s.handlers)) {
			list = append(list, command{name})
		}
		return list, nil
	}
	s.handlers["quit"] = func(_ context.Context, req *Request) (any, error) {
		bye := func() { s.Emit("SHUTDOWN", map[string]any{"guest": false, "reason": "host-qmp-quit"}) }
		if s.version.Major >= 7 {
			bye()
		} else { // up to 6 the reply came first
			req.After(bye)
		}
		req.After(s.hangUp)
		return nil, nil
	}
}

// hangUp takes no more clients, and ends all connections when what is on its way
// has been sent.
func (s *Server) hangUp() {
	s.stopListening()
	for _, c := range s.clients() {
		c.out.end()
	}
}

// An outbox holds what is to be written, without limit, as QEMU does.
type outbox struct {
	mu    sync.Mutex
	text  []byte
	ended bool
	more  chan struct{}
}

func newOutbox() *outbox { return &outbox{more: make(chan struct{}, 1)} }

func (o *outbox) write(text []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.text = append(o.text, text...)
		o.wake()
	}
}

// end has the connection closed when all is written.
func (o *outbox) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.wake()
}

func (o *outbox) wake() {
	select {
	case o.more <- struct{}{}:
	default:
	}
}

// drain writes to conn until the end, and closes it.
func (o *outbox) drain(conn net.Conn) {
	defer conn.Close()
	for range o.more {
		o.mu.Lock()
		text, ended := o.text, o.ended
		o.text = nil
		o.mu.Unlock()
		if len(text) > 0 {
			if _, err := conn.Write(text); err != nil {
				return
			}
		}
		if ended {
			return
		}
	}
}

// errClass is the class and the description that an error is sent with.
func errClass(err error) (class, desc string) {
	if e, ok := errors.AsType[*qmp.Error](err); ok {
		return e.Class, e.Desc
	}
	return qmp.ClassGenericError, err.Error()
}

package qmptest

import (
	"context"
	"fmt"
	"io"
	"reflect"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// Handle makes a function execute a command. method is a method of [Server.Commands], which names the
// command, and handler has the same type: so a misspelt name, or the arguments of another command,
// do not compile.
//
//	qmptest.Handle(srv, srv.Commands.DeviceDel, func(ctx context.Context, args qapi.DeviceDelArgs) error {
//		qmptest.After(ctx, func() { srv.Emit(qapi.DeviceDeletedEvent{Device: &args.ID}) })
//		return nil
//	})
//
// A handler of a command whose arguments can be left out, such as Eject, takes
// args ...qapi.EjectArgs, and always gets exactly one. A handler of DeviceAdd takes a
// qapi.Device, and always gets a [qapi.DeviceAddArgs].
//
// The result, the error and ctx are those of a [Handler]. Handle panics if method is something else.
func Handle[F any](s *Server, method, handler F) {
	s.t.Helper()
	command := commandOf(method)
	f := reflect.ValueOf(handler)
	if f.IsNil() {
		panic(fmt.Sprintf("qmptest: Handle: the handler of %s is nil", command))
	}
	s.Handle(command, func(ctx context.Context, req *Request) (any, error) {
		in := []reflect.Value{reflect.ValueOf(&ctx).Elem()}
		if f.Type().NumIn() == 2 {
			of := f.Type().In(1)
			if f.Type().IsVariadic() {
				of = of.Elem()
			}
			args := reflect.New(argsType(of))
			if err := req.Decode(args.Interface()); err != nil {
				return nil, err
			}
			in = append(in, args.Elem())
		}
		out := f.Call(in)
		if err, ok := reflect.TypeAssert[error](out[len(out)-1]); ok {
			return nil, err
		}
		if len(out) == 1 {
			return nil, nil
		}
		return out[0].Interface(), nil
	})
}

// argsType returns the type into which the arguments for a handler are decoded.
func argsType(of reflect.Type) reflect.Type {
	if of == reflect.TypeFor[qapi.Device]() {
		return reflect.TypeFor[qapi.DeviceAddArgs]()
	}
	return of
}

// After calls f when the reply to the command of a handler has been sent; ctx is the
// context of the handler. It is for events that come after the reply.
func After(ctx context.Context, f func()) {
	req, ok := ctx.Value(requestKey{}).(*Request)
	if !ok {
		panic("qmptest: After: the context is not that of a handler")
	}
	req.After(f)
}

type requestKey struct{}

// commandOf returns the command that a method of Commands executes. It calls the method, with a
// context that ends the call immediately.
func commandOf(method any) string {
	f := reflect.ValueOf(method)
	if !isCommand(f.Type()) || f.IsNil() {
		panic(fmt.Sprintf("qmptest: Handle: %T is not what a command's method is: func(context.Context[, [...]arguments]) ([result,] error)", method))
	}
	var name string
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), nameKey{}, &name))
	cancel()
	in := []reflect.Value{reflect.ValueOf(&ctx).Elem().Convert(f.Type().In(0))}
	if f.Type().NumIn() == 2 && !f.Type().IsVariadic() {
		in = append(in, reflect.Zero(f.Type().In(1)))
	}
	f.Call(in)
	if name == "" {
		panic("qmptest: Handle: the method is not one of a server's Commands")
	}
	return name
}

type nameKey struct{}

// isCommand reports whether a type is that of a command's method.
func isCommand(t reflect.Type) bool {
	if t.Kind() != reflect.Func {
		return false
	}
	in, out := t.NumIn(), t.NumOut()
	return (in == 1 || in == 2) && t.In(0) == reflect.TypeFor[context.Context]() &&
		(out == 1 || out == 2) && t.Out(out-1) == reflect.TypeFor[error]()
}

// namer returns a connection without a server. It stores the name of each command that is called in
// the string to which the context of the call points.
func namer() *qmp.Conn {
	conn, err := qmp.NewConn(context.Background(), noServer{}, qmp.WithoutHandshake(),
		qmp.WithTrace(qmp.Trace{Call: func(ctx context.Context, command string) func(qmp.CallInfo) {
			if name, ok := ctx.Value(nameKey{}).(*string); ok {
				*name = command
			}
			return nil
		}}))
	if err != nil {
		panic(err) // nothing in it can fail
	}
	return conn
}

// noServer is the stream of a connection without a server.
type noServer struct{}

func (noServer) Read([]byte) (int, error)    { return 0, io.EOF }
func (noServer) Write(p []byte) (int, error) { return 0, io.ErrClosedPipe }
func (noServer) Close() error                { return nil }

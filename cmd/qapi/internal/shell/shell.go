// Package shell runs a session with a QEMU, line by line: on a terminal with completion, history
// and events above the line that is being typed, otherwise with lines of JSON for programs.
package shell

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/live"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/raw"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// Options are the parts that a session works with.
type Options struct {
	Client *qapi.Client
	Name   string // the machine's name, for the prompt

	In  io.Reader
	Out *term.Output
	Err io.Writer

	// Release is the interface of the release that is most similar to the server, and Devices are
	// the devices of such releases.
	Release *schema.Schema
	Devices func() []*devices.List

	HistoryFile string // "": the history ends with the session
	// Describe writes what is known about a command, event, type or device.
	Describe func(out *term.Output, name string) error
	// Match reads which events are asked for, such as DEVICE_DELETED:device=disk0.
	Match func(text string) (func(qmp.Event) bool, error)
	// Create creates a file that only its owner can read.
	Create func(path string) (*os.File, error)
	// Notes are printed like events; nil: there are none.
	Notes *Notes
}

// A frontend shows a session: on a terminal, or as lines for programs.
type frontend interface {
	// readLine returns the next line, io.EOF after the last, and the error of ctx when that ends.
	readLine(ctx context.Context, prompt string) (string, error)
	// readMore is the same for the continuation of a line. Its error is errForgotten if the user cancels
	// the line.
	readMore(ctx context.Context, prompt string) (string, error)
	// secret returns a text that is typed without being shown.
	secret(ctx context.Context, prompt string) (string, error)

	event(qmp.Event)
	reply(r reply)
	failure(err error)
	say(text string)   // shows a message to people
	print(text string) // the same, for whole lines that are safe for a terminal

	// during makes the keys that interrupt call cancel, until the function that it returns is called.
	during(cancel func()) func()
	keep(line string, secret bool) // keeps a line in the history
	close() error
}

// A reply is a server's reply.
type reply struct {
	value []byte // the result, or the whole reply
	whole bool
}

// A session has one connection.
type session struct {
	Options
	frontend  frontend
	raw       *raw.Client
	server    complete.Interface // its commands and events
	names     *live.Names
	engine    *complete.Engine
	recent    recent
	actions   *transaction // nil if none is being collected
	recorder  recorder
	follower  follower
	quiet     atomic.Bool // events are hidden
	goingDown atomic.Bool // the server was asked to quit
	last      error       // the exit code of the last command that failed
	ended     bool        // set by :quit
}

// Run runs a session until the input ends. Its error has the exit code of the last command that
// failed; the text was already shown.
func Run(ctx context.Context, o Options) error {
	s := &session{Options: o, raw: raw.New(o.Client.Conn()), names: live.Of(o.Client)}
	// Events are shown from the start of the session; events before that are not known.
	events := o.Client.Conn().Subscribe(nil)
	defer events.Close()
	if err := s.introspect(ctx); err != nil {
		return err
	}
	s.engine = s.newEngine(s.server)
	f, err := s.openFrontend()
	if err != nil {
		return err
	}
	s.frontend = f
	if o.Notes != nil {
		o.Notes.to(f.say)
		defer o.Notes.to(nil)
	}
	ctx, cancel := s.closing(ctx)
	defer cancel()
	s.follow(ctx, events)
	err = s.loop(ctx)
	s.follower.settle()
	cancel()
	<-s.follower.ended
	return errors.Join(s.end(err), s.recorder.close(), f.close())
}

// closing returns a context that ends with the connection.
func (s *session) closing(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		select {
		case <-ctx.Done():
		case <-s.Client.Conn().Done():
		}
	}()
	return ctx, cancel
}

// introspect asks the server for its own interface. If the server refuses, it is the interface of
// its release.
func (s *session) introspect(ctx context.Context) error {
	s.server = s.Release
	list, err := s.Client.QueryQMPSchema(ctx)
	if err == nil {
		s.server = live.NewInterface(list, s.Release)
		return nil
	}
	if _, refused := errors.AsType[*qmp.Error](err); refused {
		return nil
	}
	return err
}

func (s *session) newEngine(i complete.Interface) *complete.Engine {
	return &complete.Engine{Interface: i, Types: s.Release, Devices: s.Devices, Live: s.names, Files: complete.Files}
}

// loop reads and runs lines until there are no more, or the connection has ended.
func (s *session) loop(ctx context.Context) error {
	for !s.ended {
		line, err := s.read(ctx)
		if err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		s.run(ctx, line)
		if ctx.Err() != nil || s.Client.Conn().Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// errForgotten is the error of a line that was interrupted before its end.
var errForgotten = errors.New("the line was cancelled")

// read reads a line, or several if JSON continues in them.
func (s *session) read(ctx context.Context) (string, error) {
	line, err := s.frontend.readLine(ctx, s.prompt())
	for err == nil {
		if _, problem := split(line); !errors.Is(problem, errMore) || !strings.ContainsAny(line, "{[") {
			break
		}
		var more string
		if more, err = s.frontend.readMore(ctx, "... "); err == nil {
			line += "\n" + more
		}
	}
	if errors.Is(err, errForgotten) {
		return "", nil
	}
	return line, err
}

// prompt returns the prompt, short enough to leave room on a narrow terminal.
func (s *session) prompt() string {
	name := []rune(s.Name)
	if len(name) > 20 {
		name = append(name[:19], '…')
	}
	if s.actions != nil {
		return string(name) + " transaction> "
	}
	return string(name) + "> "
}

// end returns the error with which the session ends.
func (s *session) end(err error) error {
	closed := s.Client.Conn().Err()
	switch {
	case closed != nil && s.goingDown.Load() && errors.Is(closed, io.EOF):
		s.frontend.say("QEMU has ended")
	case closed != nil:
		if s.last != nil && errors.Is(s.last, qmp.ErrClosed) {
			return exit.With(exit.Code(s.last), closed)
		}
		return exit.With(exit.NoConnection, closed)
	case err != nil:
		return err
	}
	if s.last != nil {
		return exit.Silent(exit.Code(s.last))
	}
	return nil
}

package cli

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema"
)

// A world has fake machines that the tool finds: web01 with QEMU 11.1, web02 with 5.2, and the
// guest agent of web01.
type world struct {
	t     *testing.T
	vm    *qmptest.Server
	old   *qmptest.Server
	agent *qmptest.Server
	found []target.Machine
	dir   string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "qapi") // t.TempDir can be too long for a socket
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	w := &world{t: t, dir: dir, vm: qmptest.Start(t), old: qmptest.Start(t, qmptest.Release("5.2")), agent: qmptest.StartAgent(t)}
	listen := func(s *qmptest.Server, name string) string {
		address, err := s.Listen("unix:" + filepath.Join(dir, name))
		require.NoError(t, err)
		return address
	}
	w.found = []target.Machine{
		{PID: 1, Name: "web01", Program: "qemu-system-x86_64", Address: listen(w.vm, "1"), Agent: listen(w.agent, "a")},
		{PID: 2, Name: "web02", Program: "qemu-system-x86_64", Address: listen(w.old, "2")},
	}
	for i := range w.found {
		w.found[i].Socket = w.found[i].Address
	}
	return w
}

// Find makes the world a finder.
func (w *world) Find(context.Context) ([]target.Machine, error) { return w.found, nil }

// schemas are loaded once for all tests.
var schemas sync.Map

func cachedSchema(ctx context.Context, release string) (*schema.Schema, error) {
	if s, ok := schemas.Load(release); ok {
		return s.(*schema.Schema), nil
	}
	s, err := embedded(ctx, release)
	if err == nil {
		schemas.Store(release, s)
	}
	return s, err
}

// app returns the program with the given standard input; it writes to out and errs.
func (w *world) app(stdin string, out, errs io.Writer) *app {
	return &app{
		in: strings.NewReader(stdin), out: out, errOut: errs,
		env: func(string) string { return "" }, finder: w, schema: cachedSchema,
	}
}

// run runs a command, and returns its exit code and what it writes.
func (w *world) run(stdin string, args ...string) (code int, out, errs string) {
	w.t.Helper()
	return w.runCtx(w.t.Context(), stdin, args...)
}

func (w *world) runCtx(ctx context.Context, stdin string, args ...string) (code int, out, errs string) {
	w.t.Helper()
	var stdout, stderr bytes.Buffer
	code = w.app(stdin, &stdout, &stderr).run(ctx, args)
	return code, stdout.String(), stderr.String()
}

// words splits a line at spaces.
func words(line string) []string { return strings.Fields(line) }

type (
	ctx      = context.Context
	qmpError = qmp.Error
	event    = qmp.Event
)

// local finds the one machine of this host that a test has started.
type local struct {
	t    *testing.T
	name string
}

func (l local) Find(ctx context.Context) ([]target.Machine, error) {
	all, err := target.Local().Find(ctx)
	return slices.DeleteFunc(all, func(m target.Machine) bool { return m.Name != l.name }), err
}

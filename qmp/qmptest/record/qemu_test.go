package record_test

import (
	"bytes"
	"net"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

// A dialogue is what a typed client received, in order.
type dialogue struct {
	Said   []any
	Events []any
}

// say notes the outcome of a call.
func say[T any](d *dialogue, result T, err error) {
	if err != nil {
		d.Said = append(d.Said, err.Error())
	}
	d.Said = append(d.Said, result)
}

// talk has a dialogue with a machine: replies large and small, errors, a union,
// a secret, events before and after replies, a job, and the end.
func talk(t *testing.T, c *qapi.Client, dir string) dialogue {
	t.Helper()
	ctx := t.Context()
	var d dialogue
	done := func(err error) { say(&d, struct{}{}, err) }
	events := qapi.Subscribe[qapi.JobStatusChangeEvent](c)
	all := c.Conn().Subscribe(nil)

	version, err := c.QueryVersion(ctx)
	say(&d, version, err)
	schema, err := c.QueryQMPSchema(ctx)
	say(&d, len(schema), err)
	status, err := c.QueryStatus(ctx)
	say(&d, status, err)
	done(c.Conn().Execute(ctx, "object-add", secret(version, "s0"), nil))
	file := filepath.Join(dir, "disk")
	done(c.BlockdevCreate(ctx, qapi.BlockdevCreateArgs{
		JobID:   "create",
		Options: qapi.BlockdevCreateOptions{Driver: qapi.BlockdevCreateOptionsFile{Filename: file, Size: 1 << 20}},
	}))
	for {
		e, err := events.Next(ctx)
		require.NoError(t, err)
		if e.Status == qapi.JobStatusConcluded {
			break
		}
	}
	done(c.JobDismiss(ctx, qapi.JobDismissArgs{ID: "create"}))
	done(c.BlockdevAdd(ctx, qapi.BlockdevOptions{NodeName: new("n0"), Driver: qapi.BlockdevOptionsFile{Filename: file}}))
	nodes, err := c.QueryNamedBlockNodes(ctx, qapi.QueryNamedBlockNodesArgs{})
	say(&d, nodes, err)
	done(c.BlockdevDel(ctx, qapi.BlockdevDelArgs{NodeName: "n1"}))
	done(c.Cont(ctx))
	done(c.Stop(ctx))
	done(c.Quit(ctx))
	<-c.Conn().Done()
	for {
		e, err := all.Next(ctx)
		if err != nil {
			return d
		}
		if e.Data != nil {
			require.NoError(t, (*jsontext.Value)(&e.Data).Compact()) // it was printed over several lines
		}
		d.Events = append(d.Events, e)
	}
}

const hidden = "hunter2"

// secret returns a secret object's options as a release wants them.
func secret(v qapi.VersionInfo, id string) map[string]any {
	if v.QEMU.Major < 6 {
		return map[string]any{"qom-type": "secret", "id": id, "props": map[string]any{"data": hidden}}
	}
	return map[string]any{"qom-type": "secret", "id": id, "data": hidden}
}

func TestQEMUIsReplayed(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, monitor := range []string{"-qmp", "-qmp-pretty"} {
			var tape bytes.Buffer
			recorded := record.Conn(q.Start(t, monitor), &tape)
			conn, err := qmp.NewConn(t.Context(), recorded)
			require.NoError(t, err)
			dir := t.TempDir()
			want := talk(t, qapi.NewClient(conn), dir)
			require.NoError(t, conn.Close())
			require.NoError(t, recorded.Close())
			require.Len(t, want.Events, 9)
			assert.NotContains(t, tape.String(), hidden)
			t.Logf("%s: %d bytes, %d lines", monitor, tape.Len(), bytes.Count(tape.Bytes(), []byte("\n")))

			s := load(t, tape.String())
			for _, opts := range []record.Options{{}, {Lenient: true}, {Accept: sameFile}} {
				if opts.Accept != nil {
					dir = filepath.Join(dir, "another")
				}
				assert.Empty(t, cmp.Diff(want, talk(t, dial(t, s.Start(t, opts)), dir)), "%s: %+v: - QEMU, + replayed", monitor, opts)
			}
		}
	})
}

// sameFile accepts a file of the same name in another folder.
func sameFile(_, _ string, recorded, came any) bool {
	r, _ := recorded.(string)
	c, _ := came.(string)
	return r != "" && filepath.Base(r) == filepath.Base(c)
}

func TestQEMUAgentIsReplayed(t *testing.T) {
	qemutest.EachAgent(t, func(t *testing.T, a qemutest.Agent) {
		ask := func(c *qga.Client) (d dialogue) {
			info, err := c.GuestInfo(t.Context())
			say(&d, info, err)
			say(&d, struct{}{}, c.GuestPing(t.Context()))
			host, err := c.GuestGetHostName(t.Context())
			say(&d, host, err)
			os, err := c.GuestGetOsinfo(t.Context())
			say(&d, os, err)
			status, err := c.GuestExecStatus(t.Context(), qga.GuestExecStatusArgs{PID: 1})
			say(&d, status, err)
			return d
		}
		socket, err := net.Dial("unix", a.Start(t))
		require.NoError(t, err)
		var tape bytes.Buffer
		recorded := record.Stream(socket, &tape)
		conn, err := qmp.NewAgentConn(t.Context(), recorded)
		require.NoError(t, err)
		want := ask(qga.NewClient(conn))
		require.NoError(t, conn.Close())
		require.NoError(t, recorded.Close())
		for _, opts := range []record.Options{{}, {Lenient: true}} {
			conn, err := load(t, tape.String()).Start(t, opts).DialAgent(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			assert.Empty(t, cmp.Diff(want, ask(qga.NewClient(conn))), "%+v: - agent, + replayed", opts)
		}
	})
}

package qmptest_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

func TestAgent(t *testing.T) {
	w := &watched{TB: t}
	agent := qmptest.StartAgent(w, qmptest.Release("10.0"))
	qmptest.Handle(agent, agent.AgentCommands.GuestFileOpen, func(_ context.Context, args qga.GuestFileOpenArgs) (int64, error) {
		if args.Path != "/etc/hostname" {
			return 0, errors.New("no such file")
		}
		return 1000, nil
	})
	at, err := agent.Listen("unix:" + filepath.Join(t.TempDir(), "qga"))
	require.NoError(t, err)
	c, err := qga.Dial(t.Context(), at)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.GuestPing(t.Context()))
	info, err := c.GuestInfo(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "10.0.0", info.Version)
	assert.Contains(t, info.SupportedCommands, qga.GuestAgentCommandInfo{Name: "guest-shutdown", Enabled: true})
	assert.Contains(t, info.SupportedCommands, qga.GuestAgentCommandInfo{Name: "guest-ping", Enabled: true, SuccessResponse: true})
	file, err := c.GuestFileOpen(t.Context(), qga.GuestFileOpenArgs{Path: "/etc/hostname"})
	require.NoError(t, err)
	assert.Equal(t, int64(1000), file)
	_, err = c.GuestFileOpen(t.Context(), qga.GuestFileOpenArgs{Path: "/"})
	assert.ErrorContains(t, err, "no such file")
	assert.Empty(t, w.said())

	agent.Reply("guest-get-host-name", map[string]string{"hostname": "vm"})
	assert.Contains(t, w.said()[0], "the guest agent of QEMU 10.0 never sends such a reply to guest-get-host-name: 'host-name' is missing")
	agent.Reply("query-status")
	assert.Equal(t, []string{`qmptest: the guest agent of QEMU 10.0 has no command "query-status"`}, w.said())
	agent.Emit(qapi.StopEvent{})
	assert.Contains(t, w.said()[0], "does not send events")
	var calls []string
	for _, call := range agent.Calls() {
		calls = append(calls, call.Command)
	}
	assert.Equal(t, []string{"guest-ping", "guest-info", "guest-file-open", "guest-file-open"}, calls)
}

// A guest that shuts down sends no reply; one that refuses to do so does.
func TestAgentWithoutReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent := qmptest.NewAgent()
		defer agent.Close()
		conn, err := agent.Dial(t.Context())
		require.NoError(t, err)
		c := qga.NewClient(conn)
		defer c.Close()
		agent.Fail("guest-shutdown", qmp.ClassGenericError, "inhibited")
		assert.ErrorContains(t, c.GuestShutdown(t.Context(), qga.GuestShutdownArgs{}), "inhibited")
		agent.Handle("guest-shutdown", func(_ context.Context, req *qmptest.Request) (any, error) {
			req.After(agent.Cut)
			return nil, nil
		})
		assert.NoError(t, c.GuestShutdown(t.Context(), qga.GuestShutdownArgs{}))
	})
}

// An abandoned command is followed by a synchronisation.
func TestAgentIsSynchronisedWithAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		agent := qmptest.StartAgent(t)
		agent.Reply("guest-fsfreeze-freeze", 1)
		conn, err := agent.Dial(t.Context())
		require.NoError(t, err)
		c := qga.NewClient(conn)
		defer c.Close()
		heal := agent.Fault("guest-fsfreeze-freeze", qmptest.Delay(5*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = c.GuestFsfreezeFreeze(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		heal()
		require.NoError(t, c.GuestPing(t.Context()))
		frozen, err := c.GuestFsfreezeFreeze(t.Context())
		require.NoError(t, err)
		assert.Equal(t, int64(1), frozen)

		agent.Fault("guest-sync-delimited", qmptest.Drop())
		_, err = agent.Dial(t.Context())
		assert.ErrorIs(t, err, qmp.ErrNoAgent)
	})
}

// agentRequests change nothing, neither in the fake nor on a real machine.
var agentRequests = []string{
	`{"execute":"guest-ping"}`,
	`{"execute":"guest-ping","id":7}`,
	`{"execute":"nope","id":1}`,
	`{"execute":"qmp_capabilities"}`,
	"\xff",
	"\xff" + `{"execute":"guest-ping"}`,
	"\xff\xff\xff" + `{"execute":"guest-ping"}`,
	`{"execute":"gue` + "\xff" + `{"execute":"guest-ping"}`,
	`{"execute":` + "\xff\n" + `{"execute":"guest-ping"}`,
	`{"execute":"guest-sync-delimited","arguments":{"id":5},"id":6}` + "\n",
	"\xff" + `{"execute":"guest-sync-delimited","arguments":{"id":5}}` + "\n",
	`{"execute":"guest-sync-delimited","id":9}` + "\n",
	`{"execute":"guest-sync","arguments":{"id":"x"}}`,
	`{"execute":"guest-sync","arguments":{"id":-3}}`,
	`{"execute":"guest-file-open","arguments":{"path":1},"id":3}`,
	`{"execute":"guest-file-open","arguments":{}}`,
	`{"execute":"guest-exec-status","arguments":{"pid":1.5}}`,
	`{"execute":"guest-get-osinfo","arguments":{"a":1}}`,
	`{"exec-oob":"guest-ping"}`,
	`{"execute":"guest-ping","x":1}`,
	`{"execute":"guest-ping","arguments":[]}`,
	`{"execute":"guest-ping","arguments":{"a":1}}`,
	"garbage\n",
	`[1]`,
	`{"id":4}`,
}

// agentTranscript returns what an agent says to the requests. Descriptions are left out,
// except those of arguments.
func agentTranscript(t *testing.T, conn net.Conn) []string {
	t.Helper()
	const marker = `{"return": {}, "id": "marker"}` + "\n"
	free := regexp.MustCompile(`"desc": "[^P"]([^"\\]|\\.)*"`)
	var all []string
	for _, request := range agentRequests {
		_, err := io.WriteString(conn, request+`{"execute":"guest-ping","id":"marker"}`)
		require.NoError(t, err)
		var said strings.Builder
		for !strings.HasSuffix(said.String(), marker) {
			b := make([]byte, 4096)
			n, err := conn.Read(b)
			require.NoError(t, err)
			said.Write(b[:n])
		}
		all = append(all, free.ReplaceAllString(said.String(), `"desc": ""`))
	}
	return all
}

// TestQEMUAgentSpeaks has the same dialogue with a real agent and with the fake one,
// and compares the commands that they have.
func TestQEMUAgentSpeaks(t *testing.T) {
	qemutest.EachAgent(t, func(t *testing.T, a qemutest.Agent) {
		real, err := net.Dial("unix", a.Start(t))
		require.NoError(t, err)
		defer real.Close()
		var opts []qmptest.Option
		if a.Release != "" {
			opts = append(opts, qmptest.Release(a.Release))
		}
		agent := qmptest.StartAgent(t, opts...)
		fake := agent.Pipe()
		defer fake.Close()
		want, got := agentTranscript(t, real), agentTranscript(t, fake)
		for i, request := range agentRequests {
			assert.Empty(t, cmp.Diff(want[i], got[i]), "%q: - QEMU, + fake", request)
		}

		commands := func(conn io.ReadWriteCloser) []string {
			c, err := qmp.NewAgentConn(t.Context(), conn)
			require.NoError(t, err)
			var info struct {
				List []struct {
					Name  string `json:"name"`
					Reply bool   `json:"success-response"`
				} `json:"supported_commands"`
			}
			require.NoError(t, c.Execute(t.Context(), "guest-info", nil, &info))
			var all []string
			for _, c := range info.List {
				text, err := json.Marshal(c)
				require.NoError(t, err)
				all = append(all, string(text))
			}
			slices.Sort(all)
			return all
		}
		assert.Equal(t, commands(real), commands(fake))
	})
}

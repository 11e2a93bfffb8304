package qmp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// agentSays is an agent that first says what is stale, then answers the
// synchronisation and one command.
func agentSays(t *testing.T, stale string) net.Conn {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		in := bufio.NewReader(server)
		io.WriteString(server, stale)
		mark, _ := in.ReadByte()
		sync, _ := in.ReadString('\n')
		var number int64
		fmt.Sscanf(sync, `{"execute":"guest-sync-delimited","arguments":{"id":%d}}`, &number)
		if mark == delimiter {
			io.WriteString(server, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"stray byte\"}}\n")
		}
		fmt.Fprintf(server, "\xff{\"return\": %d}\n", number)
		in.ReadString('}')
		io.WriteString(server, "{\"return\": {\"version\": \"9\"}}\n")
	}()
	return client
}

func TestAgent(t *testing.T) {
	for name, stale := range map[string]string{
		"nothing":          "",
		"a late reply":     "{\"return\": 7}\n",
		"half a reply":     "{\"return\": [1, 2",
		"somebody's sync":  "\xff{\"return\": 12}\n\xff\xff{\"return\": 12}\n",
		"a lot":            strings.Repeat("x", 1<<20) + "\n\xff" + strings.Repeat("y", 1<<20) + "\n",
		"broken and marks": "\xff{\"return\": \xff\xff\n\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			c, err := NewAgentConn(t.Context(), agentSays(t, stale))
			require.NoError(t, err)
			defer c.Close()
			var info struct {
				Version string `json:"version"`
			}
			require.NoError(t, c.Execute(t.Context(), "guest-info", nil, &info))
			assert.Equal(t, "9", info.Version)
		})
	}
}

// TestNoAgent has a channel that opens although nobody is at home.
func TestNoAgent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := net.Pipe()
		defer server.Close()
		begin := time.Now()
		_, err := NewAgentConn(t.Context(), client, WithHandshakeTimeout(time.Minute))
		require.ErrorIs(t, err, ErrNoAgent)
		assert.Equal(t, time.Minute, time.Since(begin))

		client, server = net.Pipe()
		go io.Copy(io.Discard, server) // it reads, and says nothing
		defer server.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = NewAgentConn(ctx, client)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrNoAgent, "the caller's own limit")
	})
	client, server := net.Pipe()
	server.Close()
	_, err := NewAgentConn(t.Context(), client)
	require.Error(t, err, "closed at once")
}

// TestQEMUAgent talks to real agents on this host, with harmless commands.
func TestQEMUAgent(t *testing.T) {
	lab := os.Getenv("QAPI_QEMU_LAB")
	agents, err := filepath.Glob(filepath.Join(lab, "*", "bin", "qemu-ga"))
	require.NoError(t, err)
	if lab == "" || len(agents) == 0 {
		if os.Getenv("QAPI_REQUIRE_QEMU") != "" {
			t.Fatal("no qemu-ga: QAPI_QEMU_LAB names no folder with RELEASE/bin/qemu-ga")
		}
		t.Skip("no qemu-ga: QAPI_QEMU_LAB names no folder with RELEASE/bin/qemu-ga")
	}
	for _, program := range agents {
		t.Run(filepath.Base(filepath.Dir(filepath.Dir(program))), func(t *testing.T) {
			dir, err := os.MkdirTemp("", "qga")
			require.NoError(t, err)
			t.Cleanup(func() { os.RemoveAll(dir) })
			socket := filepath.Join(dir, "s")
			cmd := exec.Command(program, "-m", "unix-listen", "-p", socket, "-t", dir, "-f", filepath.Join(dir, "pid"))
			require.NoError(t, cmd.Start())
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			var c *Conn
			require.Eventually(t, func() bool { // it tells nobody when it listens
				c, err = DialAgent(t.Context(), "unix:"+socket)
				return err == nil
			}, 10*time.Second, 5*time.Millisecond, "%v", err)
			defer c.Close()

			var number int64
			require.NoError(t, c.Execute(t.Context(), "guest-sync", map[string]int64{"id": 1 << 52}, &number))
			assert.Equal(t, int64(1<<52), number)
			var host struct {
				Name string `json:"host-name"`
			}
			require.NoError(t, c.Execute(t.Context(), "guest-get-host-name", nil, &host))
			assert.NotEmpty(t, host.Name)
			refused := new(Error)
			require.ErrorAs(t, c.Execute(t.Context(), "guest-fly", nil, nil), &refused)
			assert.Equal(t, ClassCommandNotFound, refused.Class)
		})
	}
}

package libvirt_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
)

// A real agent in a real guest: it starts after the dial, runs programs, gets several commands
// at once, refuses, ends and is started again, and libvirt itself can use it, too.
func TestLibvirtAgent(t *testing.T) {
	for _, q := range qemutest.LibvirtQEMUs(t) {
		t.Run(q.Release, func(t *testing.T) { testAgent(t, q) })
	}
}

func testAgent(t *testing.T, q qemutest.QEMU) {
	agents := qemutest.Agents(t)
	i := slices.IndexFunc(agents, func(a qemutest.Agent) bool { return a.Release == q.Release })
	kernel, initrd := qemutest.AgentGuest(t, agents[max(i, 0)])
	l := qemutest.StartLibvirtd(t)
	h := dialReal(t, l)
	console := filepath.Join(l.Dir(), "run", "console")
	l.CreateWith(t, q, "guest", qemutest.LibvirtGuest{
		MiB: 256,
		OS:  fmt.Sprintf("<kernel>%s</kernel><initrd>%s</initrd><cmdline>console=ttyS0 mitigations=off panic=-1</cmdline>", kernel, initrd),
		Devices: "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>" +
			"<serial type='file'><source path='" + console + "'/></serial>",
	})
	_, err := qmp.DialAgentFunc(t.Context(), h.Agent("guest"), qmp.WithHandshakeTimeout(time.Second))
	require.ErrorIs(t, err, qmp.ErrNoAgent) // the machine is paused

	require.NoError(t, dialDomain(t, h, "guest").Cont(t.Context()))
	conn, err := qmp.DialAgentFunc(t.Context(), h.Agent("guest"), qmp.WithHandshakeTimeout(4*time.Minute))
	text, _ := os.ReadFile(console)
	require.NoError(t, err, "%s", text)
	defer conn.Close()
	c := qga.NewClient(conn)
	for range 3 {
		result, err := qga.Run(t.Context(), c, qga.Command{Path: "/bin/busybox", Args: []string{"echo", "hello"}})
		require.NoError(t, err)
		assert.Equal(t, "hello\n", string(result.Stdout))
	}
	done := make(chan error, 8)
	for range 8 {
		go func() { done <- c.GuestPing(t.Context()) }()
	}
	for range 8 {
		assert.NoError(t, <-done)
	}
	_, err = c.GuestFileOpen(t.Context(), qga.GuestFileOpenArgs{Path: "/nowhere/x"})
	assert.Equal(t, qmp.ClassGenericError, qmp.ClassOf(err), "%v", err)
	assert.ErrorContains(t, err, "/nowhere/x")
	err = conn.Execute(t.Context(), "guest-nonsense", nil, nil)
	assert.False(t, qmp.MayHaveRun(err), "%v", err)
	assert.Contains(t, l.Virsh(t, "qemu-agent-command", "guest", `{"execute":"guest-ping"}`), "{}")

	// Another process ends the agent, which is started again when /tmp/stay is gone.
	_, err = c.GuestExec(t.Context(), qga.GuestExecArgs{Path: "/bin/busybox", Arg: []string{"sh", "-c", "touch /tmp/stay; killall qemu-ga; sleep 15; rm /tmp/stay"}})
	require.NoError(t, err)
	for err == nil {
		err = c.GuestPing(t.Context())
	}
	// It may have been executing the ping.
	assert.True(t, errors.Is(err, qmp.ErrNoAgent) || errors.Is(err, qmp.ErrClosed), "%v", err)
	again, err := qmp.DialAgentFunc(t.Context(), h.Agent("guest"), qmp.WithHandshakeTimeout(2*time.Minute))
	require.NoError(t, err)
	defer again.Close()
	assert.NoError(t, qga.NewClient(again).GuestPing(t.Context()))
}

// For a domain without a channel for an agent, the error says so.
func TestLibvirtNoAgent(t *testing.T) {
	l := qemutest.StartLibvirtd(t)
	h := dialReal(t, l, libvirt.WithCallTimeout(5*time.Second))
	l.Create(t, newest(t), "vm")
	require.NoError(t, dialDomain(t, h, "vm").Cont(t.Context()))
	_, err := qmp.DialAgentFunc(t.Context(), h.Agent("vm"))
	assert.ErrorContains(t, err, "not configured")
}

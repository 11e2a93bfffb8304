package libvirt_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// life runs commands on the domain vm, which is paused at first. It returns their outcomes, and then the events
// of the domain.
func life(t *testing.T, h *libvirt.Host) []string {
	t.Helper()
	var said []string
	say := func(what string, err error) {
		if e, ok := errors.AsType[*libvirt.Error](err); ok {
			what = fmt.Sprint(what, ": code ", e.Code)
		}
		said = append(said, what+": "+qmp.ClassOf(err))
	}
	events := h.Events(t.Context())
	c := dialDomain(t, h, "vm")
	say("cont", c.Cont(t.Context()))
	_, err := qmp.DialAgentFunc(t.Context(), h.Agent("vm"))
	say("agent", err)
	say("stop", c.Stop(t.Context()))
	say("reset", c.SystemReset(t.Context()))
	say("nonsense", c.Conn().Execute(t.Context(), "nonsense", nil, nil))
	_, err = h.QMP("other")(t.Context())
	say("other", err)
	say("quit", c.Quit(t.Context()))
	begun := false // what comes before is about its start
	for e, err := range events {
		require.NoError(t, err)
		if begun = begun || e.QMP.Name == "RESUME"; !begun {
			continue
		}
		said = append(said, fmt.Sprint(e.Domain.Name, " ", e.QMP.Name, e.Lifecycle, " ", e.Stop))
		if e.Lifecycle == libvirt.LifecycleStopped {
			break
		}
	}
	return said
}

// The fake behaves like a real libvirt, also when the real one loses SHUTDOWN.
func TestLibvirtFake(t *testing.T) {
	l := qemutest.StartLibvirtd(t)
	l.Create(t, newest(t), "vm")
	want := life(t, dialReal(t, l))
	lost := want[len(want)-1] == "vm stopped failed"
	t.Logf("%q", want)
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 0)
		require.NoError(t, w.d.Run("vm", qmptest.Start(t), nil))
		if lost {
			w.d.LoseShutdown("vm")
		}
		assert.Equal(t, want, life(t, w.Host))
	})
}

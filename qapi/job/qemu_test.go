package job_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

func TestQEMUOperationsWhoseConnectionIsCut(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) { cutEverywhere(t, cut.New(q.Run(t).Dial)) })
}

// With each message QEMU is killed: the call returns at once, says what has happened,
// and leaves nothing here.
func TestQEMUOperationsWhoseQEMUIsKilled(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, op := range operations {
			for n, reached := 1, true; reached && !t.Failed(); n++ {
				reached = killedAt(t, q, op, n)
			}
		}
	})
}

// killedAt kills QEMU at the nth message of an operation, if it sends so many.
func killedAt(t *testing.T, q qemutest.QEMU, op operation, n int) (reached bool) {
	dir, qemu := t.TempDir(), q.Run(t)
	setup, err := qmp.NewConn(t.Context(), qemu.Monitor)
	require.NoError(t, err)
	op.prep(t, qapi.NewClient(setup), dir)
	before := runtime.NumGoroutine()
	cutter := cut.New(qemu.Dial)
	conn, err := qmp.DialFunc(t.Context(), cutter.Dial)
	require.NoError(t, err)
	cutter.Before(n, func() { qemu.Kill(t) })
	start := time.Now()
	err = op.run(t.Context(), qapi.NewClient(conn), dir)
	assert.Less(t, time.Since(start), 5*time.Second)
	if reached = cutter.Reached(); reached {
		assert.ErrorIs(t, err, qmp.ErrClosed, "%s: killed at message %d", op.name, n)
	} else {
		assert.NoError(t, err, op.name)
	}
	conn.Close()
	cut.NoMoreGoroutines(t, before)
	setup.Close()
	return reached
}

// ctx ends at each message.
func TestQEMUOperationsThatAreGivenUp(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) { giveUpEverywhere(t, cut.New(q.Run(t).Dial)) })
}

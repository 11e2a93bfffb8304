package disk_test

import (
	"context"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// onFake runs f against the fake of each release, in a bubble.
func onFake(t *testing.T, f func(t *testing.T, cutter *cut.Cutter)) {
	for _, release := range []string{"5.2", "7.2", "10.0", "11.1"} {
		t.Run(release, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := qmptest.Start(t, qmptest.Release(release))
				f(t, cut.New(func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil }))
			})
		})
	}
}

func onQEMU(t *testing.T, f func(t *testing.T, cutter *cut.Cutter)) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) { f(t, cut.New(q.Run(t).Dial)) })
}

func TestConnectionCut(t *testing.T)     { onFake(t, cutEverywhere) }
func TestQEMUConnectionCut(t *testing.T) { onQEMU(t, cutEverywhere) }

func cutEverywhere(t *testing.T, cutter *cut.Cutter) {
	c := cutter.Client(t)
	for _, op := range operations {
		cut.Everywhere(t, func(n int, how cut.How) bool {
			dir := t.TempDir()
			op.prep(t, c, dir)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cutter.At(n, how)
			assert.NoError(t, op.run(ctx, c, dir), "%s: cut at message %d, %s", op.name, n, how)
			reached := cutter.Reached()
			assert.ElementsMatch(t, op.left, beside(t, c), "%s: cut at message %d, %s", op.name, n, how)
			return reached
		})
	}
}

func TestGivenUp(t *testing.T)     { onFake(t, giveUpEverywhere) }
func TestQEMUGivenUp(t *testing.T) { onQEMU(t, giveUpEverywhere) }

// giveUpEverywhere has ctx end at each message: either all is done, or all is undone.
func giveUpEverywhere(t *testing.T, cutter *cut.Cutter) {
	c := cutter.Client(t)
	for _, op := range operations {
		for n, reached := 1, true; reached && !t.Failed(); n++ {
			dir := t.TempDir()
			op.prep(t, c, dir)
			ctx, cancel := context.WithCancel(t.Context())
			cutter.Before(n, cancel)
			start := time.Now()
			err := op.run(ctx, c, dir)
			reached = cutter.Reached()
			cancel()
			assert.Less(t, time.Since(start), 5*time.Second)
			left := beside(t, c)
			if err == nil {
				assert.ElementsMatch(t, op.left, left, "%s: given up at message %d", op.name, n)
				continue
			}
			assert.ErrorIs(t, err, context.Canceled, "%s: given up at message %d", op.name, n)
			assert.ElementsMatch(t, op.undone, left, "%s: given up at message %d: %v", op.name, n, err)
		}
	}
}

func TestQEMUKilled(t *testing.T) {
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

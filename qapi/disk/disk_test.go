package disk_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// onFake runs f against the fake of the oldest and the newest release, in a bubble.
func onFake(t *testing.T, f func(t *testing.T, cutter *cut.Cutter)) {
	releases := []string{"5.2", "11.1"}
	if testing.Short() {
		releases = releases[1:]
	}
	for _, release := range releases {
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
		cutter.Survived(t, c, op.Try, func(what string) { assert.ElementsMatch(t, op.left, others(t, c), what) })
	}
}

func TestGivenUp(t *testing.T)     { onFake(t, giveUpEverywhere) }
func TestQEMUGivenUp(t *testing.T) { onQEMU(t, giveUpEverywhere) }

// giveUpEverywhere ends ctx at each message: either everything is done, or everything is undone.
func giveUpEverywhere(t *testing.T, cutter *cut.Cutter) {
	c := cutter.Client(t)
	for _, op := range operations {
		cutter.GivenUp(t, c, op.Try, func(what string, err error) {
			want := op.left
			if err != nil {
				want = op.undone
			}
			assert.ElementsMatch(t, want, others(t, c), "%s: %v", what, err)
		})
	}
}

func TestQEMUKilled(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, op := range operations {
			cut.Killed(t, q, op.Try)
		}
	})
}

package job_test

import (
	"testing"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/qemutest"
)

func TestQEMUOperationsWhoseConnectionIsCut(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) { cutEverywhere(t, cut.New(q.Run(t).Dial)) })
}

func TestQEMUOperationsWhoseQEMUIsKilled(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		for _, op := range operations {
			cut.Killed(t, q, op.Try)
		}
	})
}

func TestQEMUOperationsThatAreGivenUp(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) { giveUpEverywhere(t, cut.New(q.Run(t).Dial)) })
}

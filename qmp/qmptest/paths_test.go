package qmptest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/qmp/qmptest"
)

func TestCheckPaths(t *testing.T) {
	w := &watched{TB: t}
	qmptest.CheckPaths(w, "blockdev-add/driver=qcow2", "migrate/blk", "blockdev-add/driver=nvme-io_urnig", "event STOPP")
	assert.Equal(t, []string{
		`no release of QEMU has "blockdev-add/driver=nvme-io_urnig": driver has no value "nvme-io_urnig"; did you mean "nvme-io_uring"?`,
		`no release of QEMU has "event STOPP": there is no event "STOPP"; did you mean "STOP"?`,
	}, w.said())
}

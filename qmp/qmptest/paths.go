package qmptest

import (
	"testing"

	"github.com/goqapi/goqapi/schema/qemu"
)

// CheckPaths fails the test for each path of [qapi.Capabilities.Supports] that no release
// of QEMU has, from 5.2 to the newest. Use it for the paths in your program, since Supports returns
// false for a misspelt path, as for something that the server does not support.
//
//	qmptest.CheckPaths(t, "blockdev-add/driver=nvme-io_urnig")
//
// fails with
//
//	no release of QEMU has "blockdev-add/driver=nvme-io_urnig": driver has no value "nvme-io_urnig"; did you mean "nvme-io_uring"?
func CheckPaths(t testing.TB, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := qemu.CheckPath(qemu.QMP, path); err != nil {
			t.Errorf("%v", err)
		}
	}
}

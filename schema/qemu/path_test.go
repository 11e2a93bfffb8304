package qemu

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckPath(t *testing.T) {
	for _, path := range []string{
		"query-status", "event STOP", "migrate/channels/addr/transport=socket/path", "migrate/blk",
		"blockdev-add/driver=qcow2/discard-no-unref", "blockdev-add/driver=nvme-io_uring", "blockdev-add/backing",
		"blockdev-add/driver=sheepdog/vdi", "query-block->inserted/image/format-specific/type=qcow2/data/compat", "query-status->",
		"query-status->singlestep", "object-add/qom-type=iothread/aio-max-batch", "x-blockdev-change/@unstable",
		"query-cpus-fast->target=s390x/cpu-state", "chardev-add/backend/type=socket/data/reconnect", "migrate/uri=any",
		"blockdev-add/driver=qcow2/file/driver=file/filename", "screendump/format=png", "event BLOCK_IO_ERROR/qom-path",
	} {
		assert.NoError(t, CheckPath(QMP, path), path)
	}
	for path, want := range map[string]string{
		"blockdev-add/driver=nvme-io_urnig":   `driver has no value "nvme-io_urnig"; did you mean "nvme-io_uring"?`,
		"blockdev-ad":                         `there is no command "blockdev-ad"; did you mean "blockdev-add"?`,
		"event STOPP":                         `there is no event "STOPP"; did you mean "STOP"?`,
		"STOP":                                `there is no command "STOP"`,
		"blockdev-add/driver=null-co/backing": `driver=null-co has no member "backing"`,
		"blockdev-add/driver=qcow2/bakcing":   `driver=qcow2 has no member "bakcing"; did you mean "backing"?`,
		"query-status->runnin":                `query-status-> has no member "runnin"; did you mean "running"?`,
		"screendump/@unstabel":                `screendump has no feature "unstabel"`,
		"x-blockdev-change/@unstabel":         `x-blockdev-change has no feature "unstabel"; did you mean "unstable"?`,
		"query-status/x":                      `query-status has no member "x"`,
		"eject/":                              `eject has no member ""`,
		"":                                    `there is no command ""`,
	} {
		assert.EqualError(t, CheckPath(QMP, path), `no release of QEMU has "`+path+`": `+want)
	}
	assert.NoError(t, CheckPath(QGA, "guest-exec/capture-output"))
	assert.Error(t, CheckPath(QGA, "query-status"))
}

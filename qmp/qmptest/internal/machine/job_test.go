package machine_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// twoNodes has two nodes of 1000 bytes.
func twoNodes(t *testing.T) *vm {
	t.Helper()
	v := newVM(t, "11.1")
	v.ok("blockdev-add", `{"driver":"null-co","node-name":"a","size":1000}`)
	v.ok("blockdev-add", `{"driver":"null-co","node-name":"b","size":1000}`)
	return v
}

func status(id string, list ...string) (events []string) {
	for _, s := range list {
		events = append(events, fmt.Sprintf(`JOB_STATUS_CHANGE {"id":"%s","status":"%s"}`, id, s))
	}
	return events
}

func jobs(done int, status string) []string {
	return []string{fmt.Sprintf(`return [{"current-progress":%d,"id":"j","status":"%s","total-progress":1000,"type":"backup"}]`, done, status)}
}

// A job with a speed limit advances by one second after each query.
func TestJobAdvancesWithQueries(t *testing.T) {
	v := twoNodes(t)
	assert.Equal(t, append(status("j", "created", "running"), `return {}`),
		v.execute("blockdev-backup", `{"job-id":"j","device":"a","target":"b","sync":"full","speed":400}`))
	assert.Equal(t, jobs(0, "running"), v.execute("query-jobs"))
	assert.Contains(t, v.execute("query-block-jobs")[0], `"offset":400`)
	v.execute("job-pause", `{"id":"j"}`)
	assert.Equal(t, jobs(800, "paused"), v.execute("query-jobs"))
	assert.Equal(t, append(status("j", "running"), `return {}`), v.execute("job-resume", `{"id":"j"}`))
	done := append(jobs(800, "running"), status("j", "waiting", "pending")...)
	done = append(done, `BLOCK_JOB_COMPLETED {"device":"j","len":1000,"offset":1000,"speed":400,"type":"backup"}`)
	assert.Equal(t, append(done, status("j", "concluded", "null")...), v.execute("query-jobs"))
	assert.Equal(t, []string{`return []`}, v.execute("query-jobs"))
}

func TestJobWithoutLimitIsDoneAfterTheReply(t *testing.T) {
	v := twoNodes(t)
	v.execute("blockdev-backup", `{"job-id":"j","device":"a","target":"b","sync":"full","speed":1,"auto-dismiss":false}`)
	assert.Equal(t, append([]string{`return {}`}, append(status("j", "waiting", "pending"),
		`BLOCK_JOB_COMPLETED {"device":"j","len":1000,"offset":1000,"speed":0,"type":"backup"}`,
		status("j", "concluded")[0])...), v.execute("block-job-set-speed", `{"device":"j","speed":0}`))
	assert.Equal(t, jobs(1000, "concluded"), v.execute("query-jobs"))
}

func TestMirrorTakesThePlace(t *testing.T) {
	v := twoNodes(t)
	v.ok("device_add", `{"driver":"scsi-hd","id":"sd","drive":"a"}`)
	assert.Equal(t, append(append(status("m", "created", "running"), `return {}`), status("m", "ready")[0],
		`BLOCK_JOB_READY {"device":"m","len":1000,"offset":1000,"speed":0,"type":"mirror"}`),
		v.execute("blockdev-mirror", `{"job-id":"m","device":"a","target":"b","sync":"full"}`))
	v.execute("job-complete", `{"id":"m"}`)
	v.ok("blockdev-del", `{"node-name":"a"}`)
	assert.Contains(t, v.execute("query-block")[0], `"node-name":"b"`)
}

func TestCancelledMirrorLeavesACopy(t *testing.T) {
	v := twoNodes(t)
	v.ok("device_add", `{"driver":"scsi-hd","id":"sd","drive":"a"}`)
	v.execute("blockdev-mirror", `{"job-id":"m","device":"a","target":"b","sync":"full"}`)
	v.execute("block-job-cancel", `{"device":"m"}`)
	v.ok("blockdev-del", `{"node-name":"b"}`)
}

func TestImages(t *testing.T) {
	v := newVM(t, "11.1")
	create := func(options string) {
		t.Helper()
		assert.Equal(t, append(append(status("c", "created", "running"), `return {}`), status("c", "waiting", "pending", "concluded")...),
			v.execute("blockdev-create", `{"job-id":"c","options":`+options+`}`))
		assert.Equal(t, append(status("c", "null"), `return {}`), v.execute("job-dismiss", `{"id":"c"}`))
	}
	create(`{"driver":"file","filename":"x.img","size":0}`)
	assert.Equal(t, []string{`error GenericError: Image is not in qcow2 format`},
		v.execute("blockdev-add", `{"driver":"qcow2","node-name":"q","file":{"driver":"file","filename":"x.img"}}`))
	create(`{"driver":"qcow2","file":{"driver":"file","filename":"x.img"},"size":4096}`)
	v.ok("blockdev-add", `{"driver":"qcow2","node-name":"q","file":{"driver":"file","filename":"x.img"}}`)
	v.ok("block_resize", `{"node-name":"q","size":8192}`)
	v.ok("blockdev-add", `{"driver":"vmdk","node-name":"old","file":{"driver":"file","filename":"has been there.vmdk"}}`)
	nodes := v.execute("query-named-block-nodes")[0]
	assert.Contains(t, nodes, `"virtual-size":8192`)
	assert.Contains(t, nodes, `"filename":"has been there.vmdk"`)
}

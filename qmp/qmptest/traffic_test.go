package qmptest_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/qmptest"
)

// traffic are the commands that VM managers send: to know what a QEMU can do, to set a machine
// up, to keep it running, and to move it.
const traffic = `
query-version query-commands query-qmp-schema query-target query-kvm query-machines
query-cpu-definitions query-cpu-model-expansion query-command-line-options query-tpm-models query-tpm-types
query-gic-capabilities query-sev-capabilities query-stats-schemas query-chardev-backends query-accelerators

query-name query-uuid query-status query-current-machine query-cpus-fast query-hotpluggable-cpus query-iothreads
query-memory-size-summary query-memory-devices query-memdev query-balloon balloon query-stats
query-display-options query-vnc query-vnc-servers query-spice set_password expire_password query-mice
query-tpm query-audiodevs query-rx-filter query-yank yank query-colo-status query-dump query-replay

cont stop system_reset system_powerdown system_wakeup quit set-action watchdog-set-action inject-nmi
rtc-reset-reinjection announce-self send-key input-send-event screendump human-monitor-command

getfd closefd add-fd remove-fd query-fdsets add_client
object-add object-del qom-list qom-get qom-set qom-list-get device_add device_del
netdev_add netdev_del set_link chardev-add chardev-remove chardev-change query-chardev ringbuf-read ringbuf-write

blockdev-add blockdev-del blockdev-reopen blockdev-create block_resize query-block query-named-block-nodes
query-blockstats block-set-write-threshold block-latency-histogram-set block_set_io_throttle
blockdev-open-tray blockdev-close-tray blockdev-insert-medium blockdev-remove-medium blockdev-change-medium eject
blockdev-snapshot blockdev-snapshot-sync blockdev-snapshot-internal-sync blockdev-snapshot-delete-internal-sync
change-backing-file transaction
block-dirty-bitmap-add block-dirty-bitmap-remove block-dirty-bitmap-clear block-dirty-bitmap-enable
block-dirty-bitmap-disable block-dirty-bitmap-merge

blockdev-mirror drive-mirror blockdev-backup drive-backup block-stream block-commit query-jobs query-block-jobs
job-pause job-resume job-complete job-finalize job-cancel job-dismiss
block-job-set-speed block-job-pause block-job-resume block-job-complete block-job-cancel block-job-finalize
block-job-dismiss block-job-change
nbd-server-start nbd-server-add nbd-server-remove nbd-server-stop block-export-add block-export-del
query-block-exports

migrate migrate_cancel migrate-continue migrate-pause migrate-start-postcopy migrate-incoming query-migrate
migrate-set-capabilities query-migrate-capabilities migrate-set-parameters query-migrate-parameters
query-dirty-rate calc-dirty-rate client_migrate_info

qom-list-types query-pci dump-guest-memory snapshot-save snapshot-load snapshot-delete
`

// refused are the commands that such a machine refuses in every QEMU, with the reason.
var refused = map[string]string{
	"add_client":             "it has no display",
	"client_migrate_info":    "it has no SPICE",
	"expire_password":        "it has no display",
	"migrate-incoming":       "it was not started to wait for a migration: see TestMigration",
	"migrate-pause":          "its migrations are not postcopy",
	"query-gic-capabilities": "it is for ARM",
	"query-sev-capabilities": "it runs without KVM",
	"screendump":             "it has no screen: see TestScreendump",
	"set_password":           "it has no display",
	"system_wakeup":          "its guest does not sleep",
}

// TestTraffic checks that each command of managers is executed, and that it succeeds in a row of the
// conformance tables, which are checked with real QEMUs.
func TestTraffic(t *testing.T) {
	files, err := filepath.Glob("testdata/conformance*.txt")
	require.NoError(t, err)
	succeeded := map[string]bool{"query-qmp-schema": true} // see TestIntrospectionEqualsQEMUs
	for _, file := range files {
		srv := qmptest.Start(&watched{TB: t}, qmptest.Release("11.1"))
		fake := newMonitor(t, dialUnix(t, srv)) // over which files are passed
		tab := readTable(t, t.TempDir())
		for c := range tab.with(srv, file) {
			if o := tab.outcome(fake.send(c)); slices.Contains(o.said, "return") && c.accepted("11.1") == "" {
				succeeded[c.command()] = true
			}
		}
	}
	srv := qmptest.Start(t)
	for _, name := range strings.Fields(traffic) {
		assert.NotNil(t, srv.Handler(name), "%s is not executed", name)
		assert.NotEqual(t, refused[name] != "", succeeded[name],
			"%s: a row of testdata/conformance*.txt must succeed, or else refused have the reason why none can", name)
	}
}

// # Commands
//
// It executes 151 of the 243 commands of QEMU 11.1; playing an older release, those that
// this one has. Any other fails the test and says that nothing executes it.
//
//	add-fd, announce-self, balloon, block-commit, block-dirty-bitmap-add,
//	block-dirty-bitmap-clear, block-dirty-bitmap-disable, block-dirty-bitmap-enable,
//	block-dirty-bitmap-merge, block-dirty-bitmap-remove, block-export-add,
//	block-export-del, block-job-cancel, block-job-complete, block-job-dismiss,
//	block-job-finalize, block-job-pause, block-job-resume, block-job-set-speed,
//	block-set-write-threshold, block-stream, block_resize, block_set_io_throttle,
//	blockdev-add, blockdev-backup, blockdev-change-medium, blockdev-close-tray,
//	blockdev-create, blockdev-del, blockdev-insert-medium, blockdev-mirror,
//	blockdev-open-tray, blockdev-remove-medium, blockdev-snapshot,
//	blockdev-snapshot-delete-internal-sync, blockdev-snapshot-internal-sync,
//	blockdev-snapshot-sync, change-backing-file, chardev-add, chardev-change,
//	chardev-remove, client_migrate_info, closefd, cont, device-list-properties, device_add,
//	device_del, drive-backup, eject, expire_password, getfd, human-monitor-command,
//	inject-nmi, input-send-event, job-cancel, job-complete, job-dismiss, job-finalize,
//	job-pause, job-resume, migrate, migrate-continue, migrate-incoming, migrate-pause,
//	migrate-set-capabilities, migrate-set-parameters, migrate-start-postcopy,
//	migrate_cancel, nbd-server-add, nbd-server-remove, nbd-server-start, nbd-server-stop,
//	netdev_add, netdev_del, object-add, object-del, qmp_capabilities, qom-get, qom-list,
//	qom-list-types, qom-set, query-acpi-ospm-status, query-audiodevs, query-balloon,
//	query-block, query-block-exports, query-block-jobs, query-blockstats, query-chardev,
//	query-colo-status, query-commands, query-cpus-fast, query-cryptodev,
//	query-current-machine, query-dirty-rate, query-display-options, query-dump,
//	query-dump-guest-memory-capability, query-fdsets, query-firmware-log,
//	query-gic-capabilities, query-hotpluggable-cpus, query-iothreads, query-jobs,
//	query-kvm, query-memdev, query-memory-devices, query-memory-size-summary, query-mice,
//	query-migrate, query-migrate-capabilities, query-migrate-parameters, query-name,
//	query-named-block-nodes, query-pci, query-pr-managers, query-qmp-schema, query-replay,
//	query-sev-capabilities, query-sgx, query-sgx-capabilities, query-stats, query-status,
//	query-target, query-tpm, query-tpm-models, query-tpm-types, query-uuid, query-version,
//	query-vm-generation-id, query-vnc, query-vnc-servers, query-xen-replication-status,
//	query-yank, quit, remove-fd, ringbuf-read, ringbuf-write, rtc-reset-reinjection,
//	screendump, send-key, set-action, set_link, set_password, stop, system_powerdown,
//	system_reset, system_wakeup, transaction, watchdog-set-action, yank
package qmptest

package plan

import (
	"slices"

	"github.com/goqapi/goqapi/generator/internal/names"
	"github.com/goqapi/goqapi/schema"
)

// replacements has what to use instead of something that QEMU has deprecated or removed,
// by the name of the definition, or of the definition and its part. Names of commands,
// events and parts become Go names. A text after "; " describes an alternative that is not
// a replacement. TestReplacements fails for a row that is missing or no longer needed.
var replacements = map[string]string{
	// Deprecated.
	"query-kvm":                          "query-accelerators",
	"block-commit/base":                  "base-node",
	"block-commit/top":                   "top-node",
	"drive-backup":                       "blockdev-backup",
	"BlockIOThrottle/device":             "id",
	"block-job-pause":                    "job-pause",
	"block-job-resume":                   "job-resume",
	"block-job-complete":                 "job-complete",
	"block-job-dismiss":                  "job-dismiss",
	"block-job-finalize":                 "job-finalize",
	"nbd-server-add":                     "block-export-add",
	"nbd-server-remove":                  "block-export-del",
	"eject/device":                       "id",
	"blockdev-open-tray/device":          "id",
	"blockdev-close-tray/device":         "id",
	"blockdev-change-medium/device":      "id",
	"ChardevBackendKind/memory":          "ringbuf",
	"SchemaInfoEnum/values":              "members",
	"RngProperties/opened":               "; it has no effect",
	"TransactionActionKind/drive-backup": "blockdev-backup",

	// Removed.
	"block_passwd":                           "object-add",
	"change":                                 "[Client.BlockdevChangeMedium], or [Client.SetPassword] for VNC",
	"migrate-set-cache-size":                 "migrate-set-parameters",
	"migrate_set_downtime":                   "migrate-set-parameters",
	"migrate_set_speed":                      "migrate-set-parameters",
	"query-migrate-cache-size":               "query-migrate-parameters",
	"query-cpus":                             "query-cpus-fast",
	"query-events":                           "query-qmp-schema",
	"query-migrationthreads":                 "; there is no replacement",
	"x-blockdev-reopen":                      "blockdev-reopen",
	"x-query-opcount":                        "; there is no replacement",
	"x-query-profile":                        "; there is no replacement",
	"x-query-rdma":                           "; there is no replacement",
	"MEM_UNPLUG_ERROR":                       "DEVICE_UNPLUG_GUEST_ERROR",
	"RDMA_GID_STATUS_CHANGED":                "; there is no replacement",
	"migrate/blk":                            "blockdev-mirror",
	"migrate/inc":                            "blockdev-mirror",
	"migrate/detach":                         "; it has no effect",
	"trace-event-get-state/vcpu":             "; there is no replacement",
	"trace-event-set-state/vcpu":             "; there is no replacement",
	"BlockDeviceInfo/encryption_key_missing": "; it is always false",
	"BlockDirtyInfo/status":                  "Recording, Busy and Inconsistent",
	"BlockInfo/dirty-bitmaps":                "those of Inserted",
	"ChardevSocket/reconnect":                "reconnect-ms",
	"CpuInfoFast/arch":                       "target",
	"MigrationCapability/block":              "blockdev-mirror",
	"MigrationCapability/compress":           "multifd",
	"MigrationInfo/blocked":                  "blocked-reasons",
	"MigrationParameters/block-incremental":  "blockdev-mirror",
	"MigrationParameters/compress-level":     "multifd-zlib-level",
	"MigrationParameters/compress-threads":   "multifd-channels",
	"MigrationParameters/decompress-threads": "multifd-channels",
	"MigrationRAMStats/skipped":              "; it is always zero",
	"NetdevStreamOptions/reconnect":          "reconnect-ms",
	"ObjectOptions/props":                    "; the variants have the properties",
	"QCryptoCipherAlgo/des-rfb":              "des",
	"RunState/preconfig":                     "prelaunch",
	"SecretKeyringProperties/loaded":         "; it has no effect",
	"SecretCommonProperties/loaded":          "; it has no effect",
	"SgxInfo/section-size":                   "sections",
	"StatusInfo/singlestep":                  "; the accelerator's property one-insn-per-tb replaces it",
	"TlsCredsAnonProperties/loaded":          "; it has no effect",
	"TlsCredsPskProperties/loaded":           "; it has no effect",
	"TlsCredsX509Properties/loaded":          "; it has no effect",
}

// instead returns what replaces a definition, or a part of one.
func (b *builder) instead(of schema.Definition, part string) string {
	name := replacements[of.Def().Name]
	if part != "" {
		name = replacementOf(of, part)
	}
	if name == "" {
		return ""
	}
	switch b.schema.Lookup(name).(type) {
	case *schema.Command:
		return "[Client." + names.Exported(name) + "]"
	case *schema.Event:
		return "[" + names.Event(name) + "Event]"
	}
	if part == "" || !hasPart(of, name) {
		return name
	}
	if enum, ok := of.(*schema.Enum); ok {
		return "[" + b.enums[enum].Name + names.Suffix(name) + "]"
	}
	return names.Exported(name)
}

// replacementOf returns the row for a part, under the name of the definition that declares it.
func replacementOf(of schema.Definition, part string) string {
	for ; of != nil; of = schema.Inherited(of) {
		if name := replacements[of.Def().Name+"/"+part]; name != "" {
			return name
		}
	}
	return ""
}

// hasPart reports whether a definition has a part, its own or an inherited one.
func hasPart(def schema.Definition, name string) bool {
	for ; def != nil; def = schema.Inherited(def) {
		if slices.Contains(schema.Parts(def), name) {
			return true
		}
	}
	return false
}

package plan

// replacements say what to use in place of what QEMU has deprecated, by the name
// of the definition, or of the definition and its part. TestReplacements fails
// for one that is missing or no longer needed in the newest release.
var replacements = map[string]string{
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
	"RngProperties/opened":               "nothing: it has no effect",
	"TransactionActionKind/drive-backup": "blockdev-backup",
}

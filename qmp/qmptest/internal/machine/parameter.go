package machine

import (
	"maps"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/schema/qemu"
)

// A span says which releases have something; "": no limit.
type span struct{ from, to string }

func (s span) has(release string) bool {
	return (s.from == "" || qemu.Compare(release, s.from) >= 0) && (s.to == "" || qemu.Compare(release, s.to) <= 0)
}

// capabilities are those of migrations, in QEMU's order.
var capabilities = []struct {
	name qapi.MigrationCapability
	span
}{
	{"xbzrle", span{}}, {"rdma-pin-all", span{}}, {"auto-converge", span{}}, {"zero-blocks", span{"", "10.2"}},
	{"compress", span{"", "7.2"}}, {"events", span{}}, {"postcopy-ram", span{}}, {"x-colo", span{}},
	{"release-ram", span{}}, {"block", span{"", "7.2"}}, {"return-path", span{}}, {"pause-before-switchover", span{}},
	{"multifd", span{}}, {"dirty-bitmaps", span{}}, {"postcopy-blocktime", span{}}, {"late-block-activate", span{}},
	{"x-ignore-shared", span{}}, {"validate-uuid", span{}}, {"background-snapshot", span{"7.2", ""}},
	{"zero-copy-send", span{"7.2", ""}}, {"postcopy-preempt", span{"7.2", ""}}, {"switchover-ack", span{"10.0", ""}},
	{"dirty-limit", span{"10.0", ""}}, {"mapped-ram", span{"10.0", ""}},
}

// parameters are those of migrations, with their first values, and the least and the greatest value
// of numbers that have limits.
var parameters = []struct {
	name, value string
	span
	least, most int64
}{
	{"announce-initial", `50`, span{}, 0, 100_000},
	{"announce-max", `550`, span{}, 0, 100_000},
	{"announce-rounds", `5`, span{}, 0, 1000},
	{"announce-step", `100`, span{}, 1, 10_000},
	{"avail-switchover-bandwidth", `0`, span{"10.0", ""}, 0, 0},
	{"block-incremental", `false`, span{"", "7.2"}, 0, 0},
	{"compress-level", `1`, span{"", "7.2"}, 0, 9},
	{"compress-threads", `8`, span{"", "7.2"}, 1, 255},
	{"compress-wait-thread", `true`, span{"", "7.2"}, 0, 0},
	{"cpr-exec-command", `[]`, span{"10.2", ""}, 0, 0},
	{"cpu-throttle-increment", `10`, span{}, 1, 99},
	{"cpu-throttle-initial", `20`, span{}, 1, 99},
	{"cpu-throttle-tailslow", `false`, span{}, 0, 0},
	{"decompress-threads", `2`, span{"", "7.2"}, 1, 255},
	{"direct-io", `false`, span{"10.0", ""}, 0, 0},
	{"downtime-limit", `300`, span{}, 0, 2_000_000},
	{"max-bandwidth", `134217728`, span{}, 0, 0},
	{"max-cpu-throttle", `99`, span{}, 1, 99},
	{"max-postcopy-bandwidth", `0`, span{}, 0, 0},
	{"mode", `"normal"`, span{"10.0", ""}, 0, 0},
	{"multifd-channels", `2`, span{}, 1, 255},
	{"multifd-compression", `"none"`, span{}, 0, 0},
	{"multifd-qatzip-level", `1`, span{"10.0", ""}, 1, 9},
	{"multifd-zlib-level", `1`, span{}, 0, 9},
	{"multifd-zstd-level", `1`, span{}, 0, 20},
	{"throttle-trigger-threshold", `50`, span{}, 1, 100},
	{"tls-authz", `""`, span{}, 0, 0},
	{"tls-creds", `""`, span{}, 0, 0},
	{"tls-hostname", `""`, span{}, 0, 0},
	{"vcpu-dirty-limit", `1`, span{"10.0", ""}, 1, 1 << 40},
	{"x-checkpoint-delay", `20000`, span{}, 0, 0},
	{"x-rdma-chunk-size", `1048576`, span{"11.1", ""}, 0, 0},
	{"x-vcpu-dirty-limit-period", `1000`, span{"10.0", ""}, 1, 1000},
	{"xbzrle-cache-size", `67108864`, span{}, 0, 0},
	{"zero-page-detection", `"multifd"`, span{"10.0", ""}, 0, 0},
}

// bytes are the parameters of one byte. QEMU 5.2 ignored the rest of a larger number.
var bytes = map[string]bool{
	"compress-level": true, "compress-threads": true, "cpu-throttle-increment": true, "cpu-throttle-initial": true,
	"decompress-threads": true, "max-cpu-throttle": true, "multifd-channels": true, "multifd-zlib-level": true,
	"multifd-zstd-level": true, "throttle-trigger-threshold": true,
}

func (m *Machine) newMigration() {
	m.migration.caps = map[qapi.MigrationCapability]bool{}
	m.migration.params = map[string]jsontext.Value{}
	for _, p := range parameters {
		if p.has(m.host.Release()) {
			m.migration.params[p.name] = jsontext.Value(p.value)
		}
	}
}

func (m *Machine) queryCapabilities() []qapi.MigrationCapabilityStatus {
	all := []qapi.MigrationCapabilityStatus{}
	for _, c := range capabilities {
		if c.has(m.host.Release()) {
			all = append(all, qapi.MigrationCapabilityStatus{Capability: c.name, State: m.migration.caps[c.name]})
		}
	}
	return all
}

func (m *Machine) setCapabilities(args qapi.MigrateSetCapabilitiesArgs, _ Request) error {
	if m.leaving() {
		return generic("There's a migration process in progress")
	}
	for _, c := range args.Capabilities {
		m.migration.caps[c.Capability] = c.State
	}
	return nil
}

// setParameters sets all given parameters, or none.
func (m *Machine) setParameters(given map[string]jsontext.Value, _ Request) error {
	for _, p := range parameters {
		v, ok := given[p.name]
		if !ok {
			continue
		}
		if v.Kind() == 'n' { // null clears a text parameter
			given[p.name] = jsontext.Value(`""`)
		}
		if p.most == 0 {
			continue
		}
		var n int64
		if err := json.Unmarshal(v, &n); err != nil {
			return generic("Parameter '%s' expects a number", p.name)
		}
		if bytes[p.name] && !m.since("6.0") {
			n &= 0xff
			given[p.name], _ = json.Marshal(n) // a number
		}
		if n < p.least || n > p.most {
			return generic("Parameter '%s' expects a value between %d and %d", p.name, p.least, p.most)
		}
	}
	params := maps.Clone(m.migration.params)
	for name, v := range given {
		params[name] = v.Clone()
	}
	m.migration.params = params // the old list may have been returned, so it is not changed
	return nil
}

package main

// A job is a run of benchmarks.
type job struct {
	pkg    string // its folder
	bench  string // a pattern, as for go test -bench
	time   string // as for -benchtime
	rounds int
}

// jobs are run in this order, all of them in each round. Together they take about two and a
// half minutes.
var jobs = []job{
	{"./internal/bench", "^(BenchmarkFake|BenchmarkQEMU|BenchmarkC)$", "0.4s", 3},
	{"./internal/bench", "^BenchmarkDecode$", "1s", 3},
	{"./internal/bench", "^BenchmarkEvents$", "300000x", 3},
	{"./internal/bench", "^BenchmarkBytes$", "1000x", 1},
	{"./internal/bench", "^BenchmarkIdle$", "1x", 1},
	{"./internal/bench", "^BenchmarkFleet$", "5x", 1},
	{"./internal/bench", "^BenchmarkLibvirt$", "30x", 1},
	{"./internal/bench", "^BenchmarkLibvirtStopped$", "100x", 1},
	{"./internal/bench", "^BenchmarkLibvirtIdle$", "5x", 1},
	{"./qapi", "^BenchmarkCall$", "0.2s", 3},
	{"./qapi/qga", "^BenchmarkAgent$/^Ping$", "0.2s", 1},
	{"./schema", "^BenchmarkLoad$/^snapshot$", "0.3s", 3},
	{"./generator/generate", "^BenchmarkGenerate$", "1x", 3},
	{"./internal/arch", "^(BenchmarkCompile|BenchmarkSize)$", "1x", 1},
}

// A figure is a row of the table: what a benchmark reports in a unit, and the limit of the
// design. Without a benchmark it is a heading.
type figure struct {
	what  string
	bench string // in which * is any release
	unit  string
	scale scale

	most, least float64 // limits, in the unit that is shown; 0: no limit
}

var (
	ratio     = scale{1, 2, ""}
	count     = scale{1, 0, ""}
	rate      = scale{1, 0, "/s"}
	kibibytes = scale{1 << 10, 1, "KiB"}
	megabytes = scale{1, 0, "MB"}
	millions  = scale{1e6, 3, "MB"}
	micros    = scale{1e3, 1, "µs"}
	millis    = scale{1e6, 0, "ms"}
	seconds   = scale{1e9, 1, "s"}
	cpu       = scale{1, 1, "s"}
	cpuMillis = scale{1e-3, 1, "ms"}
	tenths    = scale{1, 1, ""}
)

// figures are those of DESIGN, and some without a limit.
var figures = []figure{
	{what: "Time of a typed call, query-status, against a bare loop of writes and reads in Go"},
	{"  QEMU, one CPU, one caller", "BenchmarkQEMU/*/callers=1", "typed/bare", ratio, 1.10, 0},
	{"  QEMU, one CPU, 8 callers", "BenchmarkQEMU/*/callers=8", "typed/bare", ratio, 1.10, 0},
	{"  QEMU, one CPU, 64 callers", "BenchmarkQEMU/*/callers=64", "typed/bare", ratio, 1.10, 0},
	{"  QEMU, one CPU, 8 callers, the loop has ids too", "BenchmarkQEMU/*/callers=8", "typed/bare-id", ratio, 0, 0},
	{"  QEMU, one CPU, 64 callers, the loop has ids too", "BenchmarkQEMU/*/callers=64", "typed/bare-id", ratio, 0, 0},
	{"  fake server, one caller", "BenchmarkFake/callers=1", "typed/bare", ratio, 0, 0},
	{"  fake server, 8 callers", "BenchmarkFake/callers=8", "typed/bare", ratio, 0, 0},
	{"  fake server, 64 callers", "BenchmarkFake/callers=64", "typed/bare", ratio, 0, 0},
	{"  fake server, 8 callers, the loop has ids too", "BenchmarkFake/callers=8", "typed/bare-id", ratio, 0, 0},
	{"  fake server, 64 callers, the loop has ids too", "BenchmarkFake/callers=64", "typed/bare-id", ratio, 0, 0},

	{what: "Calls a second against a loop in C"},
	{"  QEMU, one CPU, one caller", "BenchmarkC/*/callers=1", "typed/C-rate", ratio, 0, 0.84},
	{"  the bare loop in Go", "BenchmarkC/*/callers=1", "bare/C-rate", ratio, 0, 0},

	{what: "Bytes of a request against the shortest JSON"},
	{"  query-status", "BenchmarkBytes/query-status/alone", "bytes/shortest", ratio, 1, 0},
	{"  device_del", "BenchmarkBytes/device_del/alone", "bytes/shortest", ratio, 1, 0},
	{"  blockdev-add, qcow2 over file", "BenchmarkBytes/blockdev-add/alone", "bytes/shortest", ratio, 1, 0},
	{"  query-status, 8 callers, with an id", "BenchmarkBytes/query-status/pipelined", "bytes/shortest", ratio, 1, 0},
	{"  device_del, 8 callers, with an id", "BenchmarkBytes/device_del/pipelined", "bytes/shortest", ratio, 1, 0},
	{"  blockdev-add, 8 callers, with an id", "BenchmarkBytes/blockdev-add/pipelined", "bytes/shortest", ratio, 1, 0},

	{what: "Speed of decoding, from the socket to types, against json.Decoder and structs written by hand"},
	{"  query-named-block-nodes, 500 nodes", "BenchmarkDecode/query-named-block-nodes", "json.Decoder/typed", ratio, 0, 4},
	{"  query-qmp-schema", "BenchmarkDecode/query-qmp-schema", "json.Decoder/typed", ratio, 0, 3.5},
	{"  query-cpu-definitions", "BenchmarkDecode/query-cpu-definitions", "json.Decoder/typed", ratio, 0, 4},

	{what: "Allocations of a call"},
	{"  query-status", "BenchmarkCall/query-status", "allocs/op", count, 4, 0},
	{"  device_del", "BenchmarkCall/device_del", "allocs/op", count, 4, 0},
	{"  blockdev-add, qcow2 over file", "BenchmarkCall/blockdev-add_qcow2_over_file", "allocs/op", count, 16, 0},
	{"  device_add of a virtio disk", "BenchmarkCall/device_add_typed", "allocs/op", count, 16, 0},

	{what: "Events through typed handlers, all of them and in order"},
	{"  one handler", "BenchmarkEvents/handlers=1", "handled/s", rate, 0, 300_000},
	{"  ten handlers, each given every event", "BenchmarkEvents/handlers=10", "handled/s", rate, 0, 300_000},

	{what: "An idle connection, of 10,000"},
	{"  memory", "BenchmarkIdle", "B/conn", kibibytes, 16, 0},
	{"  memory after a reply of 1 MB", "BenchmarkIdle", "B/conn-later", kibibytes, 16, 0},
	{"  goroutines", "BenchmarkIdle", "goroutines/conn", tenths, 2, 0},
	{"  goroutines after a reply of 1 MB", "BenchmarkIdle", "goroutines/conn-later", tenths, 2, 0},

	{what: "A typed call through libvirt, query-status"},
	{"  against a bare call of libvirt", "BenchmarkLibvirt/callers=1", "typed/bare", ratio, 1.10, 0},
	{"  against one on QEMU's own socket", "BenchmarkLibvirt/callers=1", "typed/direct", ratio, 0, 0},
	{"  by ssh, against one on QEMU's own socket", "BenchmarkLibvirt/callers=1", "ssh/direct", ratio, 0, 0},
	{"  8 callers, against 8 on QEMU's own socket", "BenchmarkLibvirt/callers=8", "typed/direct", ratio, 0, 0},
	{"  the slowest of 100 beside a QEMU that is stopped", "BenchmarkLibvirtStopped", "slowest-ns", millis, 100, 0},
	{"  memory of an idle connection", "BenchmarkLibvirtIdle", "B/domain", kibibytes, 16, 0},
	{"  goroutines of an idle connection", "BenchmarkLibvirtIdle", "goroutines/domain", tenths, 2, 0},
	{"  time, direct", "BenchmarkLibvirt/callers=1", "direct-ns", micros, 0, 0},
	{"  time, through libvirt", "BenchmarkLibvirt/callers=1", "typed-ns", micros, 0, 0},
	{"  time, by ssh", "BenchmarkLibvirt/callers=1", "ssh-ns", micros, 0, 0},

	{what: "500 hosts, each polled once a second for its status, block statistics and jobs"},
	{"  CPU time, for a host and a minute", "BenchmarkFleet", "CPU-s/host-minute", cpuMillis, 0, 0},
	{"  memory, for a host", "BenchmarkFleet", "B/host", kibibytes, 0, 0},
	{"  events that came, of one each second", "BenchmarkFleet", "events/poll", ratio, 0, 1},

	{what: "Times that depend on the machine"},
	{"  typed query-status, QEMU, one CPU", "BenchmarkQEMU/*/callers=1", "typed-ns", micros, 0, 0},
	{"  typed guest-ping", "BenchmarkAgent/Ping", "ns/op", micros, 0, 0},
	{"  parse a schema", "BenchmarkLoad/snapshot", "ns/op", millis, 100, 0},
	{"  generate package qapi", "BenchmarkGenerate", "ns/op", seconds, 3, 0},
	{"  compile package qapi, CPU", "BenchmarkCompile/qapi", "CPU-s", cpu, 6, 0},
	{"  compile package qapi, memory", "BenchmarkCompile/qapi", "MB", megabytes, 450, 0},
	{"  compile package qapi/device, CPU", "BenchmarkCompile/device", "CPU-s", cpu, 1, 0},

	{what: "Size, stripped"},
	{"  a program with one command, beyond hello world", "BenchmarkSize", "B", millions, 1.85, 0},
}

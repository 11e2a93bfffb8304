package main

// A job is a run of benchmarks.
type job struct {
	pkg    string // its folder
	bench  string // a pattern, as for go test -bench
	time   string // as for -benchtime
	rounds int    // at most 3
	pinned bool   // on one CPU
}

// jobs are run in this order, all of them in each round. Together they take about two minutes.
var jobs = []job{
	{"./internal/bench", "^BenchmarkQEMU$", "0.4s", 3, true},
	{"./internal/bench", "^BenchmarkDecode$", "1s", 3, false},
	{"./internal/bench", "^BenchmarkEvents$", "300000x", 3, false},
	{"./internal/bench", "^BenchmarkFleet$", "5x", 1, false},
	{"./internal/bench", "^BenchmarkLibvirt$", "30x", 1, false},
	{"./internal/bench", "^BenchmarkLibvirtStopped$", "100x", 1, false},
	{"./internal/bench", "^BenchmarkLibvirtIdle$", "5x", 1, false},
	{"./qmp", "^BenchmarkIdle$", "1x", 1, false},
	{"./qapi", "^BenchmarkCall$", "0.2s", 3, false},
	{"./schema", "^BenchmarkLoad$/^snapshot$", "0.3s", 3, false},
	{"./generator/generate", "^BenchmarkGenerate$", "1x", 3, false},
	{"./internal/arch", "^(BenchmarkCompile|BenchmarkSize)$", "1x", 1, false},
}

// A figure is a row of the table: what a benchmark reports in a unit, and its limit, if it has
// one. Without a benchmark it is a heading.
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
	tenths    = scale{1, 1, ""}
	cpu       = scale{1, 1, "s"}
	wholeMB   = scale{1, 0, "MB"}
	rate      = scale{1e6, 2, "M/s"}
	kibibytes = scale{1 << 10, 1, "KiB"}
	megabytes = scale{1e6, 3, "MB"}
	micros    = scale{1e3, 1, "µs"}
	millis    = scale{1e6, 1, "ms"}
	seconds   = scale{1e9, 1, "s"}
)

// figures are what the benchmarks measure, with the limits that this module has for itself.
var figures = []figure{
	{what: "Time of a typed call, query-status, against a bare loop of writes and reads in Go"},
	{"QEMU, one CPU, one caller", "BenchmarkQEMU/*/callers=1", "typed/bare", ratio, 1.10, 0},
	{"QEMU, one CPU, 8 callers", "BenchmarkQEMU/*/callers=8", "typed/bare", ratio, 1.10, 0},
	{"QEMU, one CPU, 64 callers", "BenchmarkQEMU/*/callers=64", "typed/bare", ratio, 1.10, 0},
	{"QEMU, one CPU, 8 callers, the loop has ids too", "BenchmarkQEMU/*/callers=8", "typed/bare-id", ratio, 0, 0},
	{"QEMU, one CPU, 64 callers, the loop has ids too", "BenchmarkQEMU/*/callers=64", "typed/bare-id", ratio, 0, 0},

	{what: "Calls a second against a loop in C"},
	{"QEMU, one CPU, one caller", "BenchmarkQEMU/*/callers=1", "C/typed", ratio, 0, 0.84},
	{"the bare loop in Go", "BenchmarkQEMU/*/callers=1", "C/bare", ratio, 0, 0},

	{what: "Speed of decoding, from the socket to types, against json.Decoder and structs written by hand"},
	{"query-named-block-nodes, 500 nodes", "BenchmarkDecode/query-named-block-nodes", "json.Decoder/typed", ratio, 0, 4},
	{"query-qmp-schema", "BenchmarkDecode/query-qmp-schema", "json.Decoder/typed", ratio, 0, 3.5},
	{"query-cpu-definitions", "BenchmarkDecode/query-cpu-definitions", "json.Decoder/typed", ratio, 0, 4},

	{what: "Allocations of a call"},
	{"query-status", "BenchmarkCall/query-status", "allocs/op", count, 4, 0},
	{"device_del", "BenchmarkCall/device_del", "allocs/op", count, 4, 0},
	{"blockdev-add, qcow2 over file", "BenchmarkCall/blockdev-add_qcow2_over_file", "allocs/op", count, 16, 0},
	{"device_add of a virtio disk", "BenchmarkCall/device_add_typed", "allocs/op", count, 16, 0},

	{what: "Events through typed handlers, all of them and in order"},
	{"one handler", "BenchmarkEvents/handlers=1", "handled/s", rate, 0, 0.3},
	{"ten handlers, each given every event", "BenchmarkEvents/handlers=10", "handled/s", rate, 0, 0.3},

	{what: "An idle connection, of 10,000, or of as many as the limit of open files allows"},
	{"memory", "BenchmarkIdle", "B/conn", kibibytes, 16, 0},
	{"memory after a reply of 1 MB", "BenchmarkIdle", "B/conn-later", kibibytes, 16, 0},
	{"goroutines", "BenchmarkIdle", "goroutines/conn", tenths, 2, 0},
	{"goroutines after a reply of 1 MB", "BenchmarkIdle", "goroutines/conn-later", tenths, 2, 0},

	{what: "A typed call through libvirt, query-status"},
	{"against a bare call of libvirt", "BenchmarkLibvirt/callers=1", "typed/bare", ratio, 1.10, 0},
	{"against one on QEMU's own socket", "BenchmarkLibvirt/callers=1", "typed/direct", ratio, 0, 0},
	{"by ssh, against one on QEMU's own socket", "BenchmarkLibvirt/callers=1", "ssh/direct", ratio, 0, 0},
	{"8 callers, against 8 on QEMU's own socket", "BenchmarkLibvirt/callers=8", "typed/direct", ratio, 0, 0},
	{"slowest of 100, another QEMU is stopped", "BenchmarkLibvirtStopped", "slowest-ns", millis, 100, 0},
	{"memory of an idle connection", "BenchmarkLibvirtIdle", "B/conn", kibibytes, 16, 0},
	{"goroutines of an idle connection", "BenchmarkLibvirtIdle", "goroutines/conn", tenths, 2, 0},
	{"time, direct", "BenchmarkLibvirt/callers=1", "direct-ns", micros, 0, 0},
	{"time, through libvirt", "BenchmarkLibvirt/callers=1", "typed-ns", micros, 0, 0},
	{"time, by ssh", "BenchmarkLibvirt/callers=1", "ssh-ns", micros, 0, 0},

	{what: "500 hosts, each polled once a second for its status, block statistics and jobs"},
	{"CPU time, for a host and a minute", "BenchmarkFleet", "CPU-ns/host-minute", millis, 0, 0},
	{"memory, for a host", "BenchmarkFleet", "B/host", kibibytes, 0, 0},
	{"events that came, of one each second", "BenchmarkFleet", "events/poll", ratio, 0, 1},

	{what: "Times that depend on the machine"},
	{"typed query-status, QEMU, one CPU", "BenchmarkQEMU/*/callers=1", "typed-ns", micros, 0, 0},
	{"parse a schema", "BenchmarkLoad/snapshot", "ns/op", millis, 100, 0},
	{"generate package qapi", "BenchmarkGenerate", "ns/op", seconds, 3, 0},
	{"compile package qapi, CPU", "BenchmarkCompile/qapi", "CPU-s", cpu, 6, 0},
	{"compile package qapi, memory", "BenchmarkCompile/qapi", "MB", wholeMB, 450, 0},
	{"compile package qapi/device, CPU", "BenchmarkCompile/device", "CPU-s", cpu, 1, 0},

	{what: "Size, stripped"},
	{"a program with one command, beyond hello world", "BenchmarkSize", "B", megabytes, 1.85, 0},
}

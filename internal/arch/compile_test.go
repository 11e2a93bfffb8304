//go:build linux

package arch

import (
	"fmt"
	"os"
	"path"
	"syscall"
	"testing"
)

// BenchmarkCompile compiles each generated package separately, without cached results.
func BenchmarkCompile(b *testing.B) {
	for _, pkg := range []string{"qapi", "qapi/device"} {
		b.Run(path.Base(pkg), func(b *testing.B) { benchmarkCompile(b, module+"/"+pkg) })
	}
}

func benchmarkCompile(b *testing.B, pkg string) {
	goBuild(b, pkg) // what it imports
	var seconds, memory float64
	for i := range b.N {
		// A flag that no compilation had before, and that changes no code.
		flag := fmt.Sprintf("-gcflags=%s=-trimpath=%d.%d", pkg, os.Getpid(), i)
		state := goBuild(b, pkg, flag)
		seconds += (state.UserTime() + state.SystemTime()).Seconds()
		memory = max(memory, float64(state.SysUsage().(*syscall.Rusage).Maxrss)*1024/1e6)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(seconds/float64(b.N), "CPU-s")
	b.ReportMetric(memory, "MB")
}

// BenchmarkSize measures how much this module adds to a program.
func BenchmarkSize(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(extra(b, "./testdata/onecall")), "B")
	}
	b.ReportMetric(0, "ns/op")
}

//go:build linux

package arch

import (
	"fmt"
	"os"
	"syscall"
	"testing"
)

// BenchmarkCompile compiles the generated package alone, with nothing of it cached.
func BenchmarkCompile(b *testing.B) {
	goBuild(b, module+"/qapi") // what it imports
	var seconds, memory float64
	for i := range b.N {
		// A flag that no compilation had before, and that changes no code.
		flag := fmt.Sprintf("-gcflags=%s/qapi=-trimpath=%d.%d", module, os.Getpid(), i)
		state := goBuild(b, flag, module+"/qapi")
		seconds += (state.UserTime() + state.SystemTime()).Seconds()
		memory = max(memory, float64(state.SysUsage().(*syscall.Rusage).Maxrss)*1024/1e6)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(seconds/float64(b.N), "CPU-s")
	b.ReportMetric(memory, "MB")
}

// BenchmarkSize measures what a program has in it of ours.
func BenchmarkSize(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(float64(extra(b)), "B")
	}
	b.ReportMetric(0, "ns/op")
}

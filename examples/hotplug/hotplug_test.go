package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// lines are the subjects of what the program prints, in order.
var lines = []string{
	"version", "status", "disk", "network", "object", "object", "chardev", "CD tray",
	"I/O error", "RESUME", "STOP", "unplug", "SHUTDOWN",
}

func subjects(t *testing.T, out []byte) []string {
	t.Helper()
	var got []string
	for _, line := range bytes.Split(bytes.TrimSpace(out), []byte("\n"))[1:] {
		require.Greater(t, len(line), 13, "%s", line)
		got = append(got, string(bytes.TrimSpace(line[2:12])))
	}
	return got
}

func TestFake(t *testing.T) {
	t.Setenv("QEMU", "")
	t.Setenv("PATH", "")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	assert.Contains(t, out.String(), "no QEMU here")
	assert.Equal(t, lines, subjects(t, out.Bytes()))
}

// TestQEMU runs the program with every QEMU at hand: that of QEMU, and those
// below the folder that QAPI_QEMU_LAB names.
func TestQEMU(t *testing.T) {
	var programs []string
	if p := os.Getenv("QEMU"); p != "" {
		programs = append(programs, p)
	}
	if lab := os.Getenv("QAPI_QEMU_LAB"); lab != "" {
		found, err := filepath.Glob(filepath.Join(lab, "*", "bin", "qemu-system-x86_64"))
		require.NoError(t, err)
		programs = append(programs, found...)
	}
	if p, err := exec.LookPath("qemu-system-x86_64"); err == nil && len(programs) == 0 {
		programs = append(programs, p)
	}
	if len(programs) == 0 {
		if os.Getenv("QAPI_REQUIRE_QEMU") != "" {
			t.Fatal("QAPI_REQUIRE_QEMU is set, and there is no QEMU: set QEMU or QAPI_QEMU_LAB")
		}
		t.Skip("no QEMU: set QEMU or QAPI_QEMU_LAB, or put qemu-system-x86_64 on PATH")
	}
	for _, program := range programs {
		t.Run(program, func(t *testing.T) {
			t.Setenv("QEMU", program)
			var out bytes.Buffer
			require.NoError(t, run(t.Context(), &out), "%s", &out)
			assert.Equal(t, lines, subjects(t, out.Bytes()))
		})
	}
}

func TestQEMUThatFailsToStart(t *testing.T) {
	t.Setenv("QEMU", "/bin/false")
	assert.ErrorContains(t, run(t.Context(), new(bytes.Buffer)), "/bin/false ended: exit status 1")
}

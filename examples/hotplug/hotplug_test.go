package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
)

// lines are the subjects of what the program prints, in order.
var lines = []string{
	"version", "disk", "network", "memory", "processor", "RESUME", "unplug", "SHUTDOWN",
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

// TestQEMU runs the program with every QEMU that the test finds.
func TestQEMU(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		t.Setenv("QEMU", q.Path)
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), &out), "%s", &out)
		assert.Equal(t, lines, subjects(t, out.Bytes()))
	})
}

func TestStartFails(t *testing.T) {
	t.Setenv("QEMU", "/bin/false")
	assert.ErrorContains(t, run(t.Context(), new(bytes.Buffer)), "false --version: exit status 1")
}

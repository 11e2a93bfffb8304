package qga_test

import (
	"bytes"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi/qga"
)

// BenchmarkAgent measures the newest agent there is.
func BenchmarkAgent(b *testing.B) {
	agents := qemutest.Agents(b)
	c, err := qga.Dial(b.Context(), "unix:"+agents[len(agents)-1].Start(b))
	require.NoError(b, err)
	defer c.Close()
	b.Run("Ping", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, c.GuestPing(b.Context()))
		}
	})
	b.Run("Run", func(b *testing.B) {
		for b.Loop() {
			_, err := qga.Run(b.Context(), c, qga.Command{Path: "/bin/true"})
			require.NoError(b, err)
		}
	})
	content := make([]byte, 8<<20)
	path := b.TempDir() + "/file"
	b.Run("Upload", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for b.Loop() {
			_, err := qga.Upload(b.Context(), c, path, bytes.NewReader(content))
			require.NoError(b, err)
		}
	})
	b.Run("Download", func(b *testing.B) {
		b.SetBytes(int64(len(content)))
		for b.Loop() {
			_, err := qga.Download(b.Context(), c, path, io.Discard)
			require.NoError(b, err)
		}
	})
}

//go:build unix

package libvirt_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/libvirttest"
)

// short returns a folder whose path is short enough for a socket.
func short(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "lv")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestFiles(t *testing.T) {
	d := libvirttest.Start(t)
	uri, err := d.Listen(filepath.Join(short(t), "s"))
	require.NoError(t, err)
	vm := qmptest.Start(t)
	require.NoError(t, d.Run("vm0", vm, nil))
	h, err := libvirt.Dial(t.Context(), uri)
	require.NoError(t, err)
	defer h.Close()
	conn, err := qmp.DialFunc(t.Context(), h.QMP("vm0"))
	require.NoError(t, err)
	defer conn.Close()
	c := qapi.NewClient(conn)
	f, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, c.With(qmp.Files(f)).Getfd(t.Context(), qapi.GetfdArgs{Fdname: "f"}))
	require.NoError(t, c.Closefd(t.Context(), qapi.ClosefdArgs{Fdname: "f"}))
	err = c.With(qmp.Files(f, f)).Getfd(t.Context(), qapi.GetfdArgs{Fdname: "f"})
	assert.EqualError(t, err, "qmp: getfd: libvirt passes one file with a command, not 2: the command was not sent")
	assert.Equal(t, 1, vm.Count("getfd"))
}

// On a stream that is not a Unix socket, a command with files is an error.
func TestNoFiles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 1)
		c := w.dial(t, "vm0")
		f, err := os.Open(os.DevNull)
		require.NoError(t, err)
		defer f.Close()
		err = c.With(qmp.Files(f)).Getfd(t.Context(), qapi.GetfdArgs{Fdname: "f"})
		assert.ErrorIs(t, err, qmp.ErrNoFiles)
		assert.ErrorIs(t, err, qmp.ErrNotSent)
		assert.NoError(t, c.Cont(t.Context()))
	})
}

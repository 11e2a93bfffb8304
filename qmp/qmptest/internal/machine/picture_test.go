package machine_test

import (
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/release"
)

// withScreen gives a vm's machine a card.
func withScreen(t *testing.T, name string) *vm {
	t.Helper()
	v := newVM(t, name)
	require.NoError(t, v.machine.ColdPlug(map[string]jsontext.Value{"driver": jsontext.Value(`"VGA"`), "id": jsontext.Value(`"vga0"`)}))
	return v
}

// sizeOf returns the size of a picture, and its format: each of its points is read.
func sizeOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var w, h, most int
	if n, _ := fmt.Sscanf(string(text), "P6\n%d %d\n%d", &w, &h, &most); n == 3 {
		head := fmt.Sprintf("P6\n%d %d\n%d\n", w, h, most)
		assert.Len(t, text, len(head)+3*w*h)
		return fmt.Sprintf("PPM %d x %d, %d", w, h, most)
	}
	p, err := png.Decode(strings.NewReader(string(text)))
	require.NoError(t, err)
	return fmt.Sprintf("PNG %s", p.Bounds().Size())
}

func TestScreendump(t *testing.T) {
	v := withScreen(t, "11.1")
	dir := t.TempDir()
	v.ok("screendump", `{"filename":"`+dir+`/a"}`)
	v.ok("screendump", `{"filename":"`+dir+`/b","format":"png","device":"vga0"}`)
	assert.Equal(t, "PPM 640 x 480, 255", sizeOf(t, filepath.Join(dir, "a")))
	assert.Equal(t, "PNG (640,480)", sizeOf(t, filepath.Join(dir, "b")))

	passed, err := os.Create(filepath.Join(dir, "c"))
	require.NoError(t, err)
	_, err = v.commands["add-fd"](t.Context(), &request{args: `{"fdset-id":7}`, file: passed})
	require.NoError(t, err)
	v.ok("screendump", `{"filename":"/dev/fdset/7","format":"png"}`)
	assert.Equal(t, "PNG (640,480)", sizeOf(t, filepath.Join(dir, "c")))
	assert.NoError(t, passed.Close(), "it stays open")
}

// TestQEMUScreendump compares pictures of real QEMUs with ours, except their content.
func TestQEMUScreendump(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		d := &dialogue{t: t}
		d.start(q, "-bios", noFirmware(t), "-device", "VGA,id=vga0")
		v := withScreen(t, release.Nearest(q.Release))
		for i, args := range []string{
			`"format":"png"`, `"format":"ppm"`, `"device":"vga0"`, `"device":"vga0","head":0`, `"device":"vga0","head":1`,
			`"device":"cd0"`, `"device":"none"`, `"head":0`, `"format":"gif"`, `"x":1`,
		} {
			dir := t.TempDir()
			name := func(who string) string { return filepath.Join(dir, fmt.Sprint(who, i)) }
			real := d.execute("screendump", `{"filename":"`+name("real")+`",`+args+`}`, 0)
			fake := v.execute("screendump", `{"filename":"`+name("fake")+`",`+args+`}`)
			require.Equal(t, d.essence(real), d.essence(fake), args)
			if fake[0] == "return {}" {
				assert.Equal(t, sizeOf(t, name("real")), sizeOf(t, name("fake")), args)
			}
		}
		nowhere := `{"filename":"` + t.TempDir() + `/none/x"}`
		require.Equal(t, d.essence(d.execute("screendump", nowhere, 0)), d.essence(v.execute("screendump", nowhere)))
	})
}

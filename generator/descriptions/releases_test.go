package descriptions

import (
	"os"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReleases(t *testing.T) {
	want := Releases{
		"query-cpus": {In: "QEMU 5.2 only", Gone: "in 6.0", Instead: "query-cpus-fast"},
		"VncInfo":    {Now: "VNCInfo"},
	}
	text := ""
	for name, r := range want {
		text += r.Format(name)
	}
	got, err := LoadReleases(fstest.MapFS{ReleasesFile: {Data: []byte(text)}})
	require.NoError(t, err)
	assert.Equal(t, want, got)
	_, err = LoadReleases(fstest.MapFS{ReleasesFile: {Data: []byte("query-cpus\tQEMU 5.2\n")}})
	require.EqualError(t, err, `releases.txt: a line has five fields: "query-cpus\tQEMU 5.2\n"`)
	_, err = LoadReleases(fstest.MapFS{})
	require.Error(t, err)
}

// The embedded files are the ones that the generator reads.
func TestFiles(t *testing.T) {
	for target := range targets {
		all, err := Load(Files(target))
		require.NoError(t, err)
		own, err := Load(os.DirFS(target))
		require.NoError(t, err)
		assert.Equal(t, own, all)
		releases, err := LoadReleases(Files(target))
		require.NoError(t, err)
		assert.NotEmpty(t, releases)
	}
	devices, properties, err := LoadDevices(Files("device"))
	require.NoError(t, err)
	assert.NotEmpty(t, devices)
	assert.NotEmpty(t, properties)
}

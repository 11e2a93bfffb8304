package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema/qemu"
)

func TestDescribeReleases(t *testing.T) {
	h := &history{releases: []Release{{Name: "5.2"}, {Name: "7.2"}, {Name: "10.0"}, {Name: "11.1"}}}
	for want, in := range map[string][]bool{
		"5.2 and later":  {true, true, true, true},
		"10.0 and later": {false, false, true, true},
		"11.1":           {false, false, false, true},
		"7.2 to 10.0":    {false, true, true, false},
		"7.2 alone":      {false, true, false, false},
		"5.2, 10.0":      {true, false, true, false},
		"":               {false, false, false, false},
	} {
		assert.Equal(t, want, h.describe(in))
	}
}

// TestAvailability looks at things whose history is known.
func TestAvailability(t *testing.T) {
	var releases []Release
	for _, name := range qemu.Releases() {
		s, err := qemu.Load(name, qemu.QMP)
		require.NoError(t, err)
		releases = append(releases, Release{name, s})
	}
	newest := releases[len(releases)-1].Schema
	p, err := Build(newest, Options{Package: "qapi", Releases: releases})
	require.NoError(t, err)

	assert.Equal(t, "5.2 and later", find[*Command](t, p, "QueryStatus").In)
	assert.Equal(t, "7.2 and later", find[*Command](t, p, "QueryStats").In)
	assert.Equal(t, "10.0 and later", find[*Command](t, p, "BlockJobChange").In)
	assert.Equal(t, "5.2 and later", find[*Enum](t, p, "RunState").In)
	assert.Equal(t, "5.2 and later", find[*Union](t, p, "SEVInfo").In, "a struct once, a union now")

	event := find[*Event](t, p, "BlockIOError")
	assert.Equal(t, "5.2 and later", event.In)
	fields := map[string]string{}
	for _, f := range event.Struct.Fields {
		fields[f.QAPI] = f.In
	}
	assert.Equal(t, "10.0 and later", fields["qom-path"])
	assert.Empty(t, fields["device"], "as long as the event itself")

	p, err = Build(newest, Options{Package: "qapi"})
	require.NoError(t, err)
	assert.Empty(t, find[*Command](t, p, "QueryStatus").In, "nothing is known")
}

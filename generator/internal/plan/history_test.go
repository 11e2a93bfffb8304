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

// Upstream's word counts for what the oldest schema does not list, and for nothing else.
func TestWithSince(t *testing.T) {
	h := &history{releases: []Release{{Name: "5.2"}, {Name: "7.2"}, {Name: "10.0"}}}
	later := []bool{false, true, true}
	for since, oldest := range map[string]bool{"2.12": true, "5.2": true, "5.2.1": false, "6.0": false, "10.0": false, "": false} {
		assert.Equal(t, []bool{oldest, true, true}, h.withSince(later, since), since)
	}
	assert.Equal(t, []bool{false, false, true}, h.withSince([]bool{false, false, true}, "2.12"), "it was gone, or another thing")
	assert.Equal(t, []bool{false, true, true}, later)
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
	assert.Equal(t, "7.1 and later", find[*Command](t, p, "QueryStats").In)
	assert.Equal(t, "8.2 and later", find[*Command](t, p, "BlockJobChange").In)
	assert.Equal(t, "5.2 and later", find[*Enum](t, p, "RunState").In)
	assert.Equal(t, "5.2 and later", find[*Union](t, p, "SEVInfo").In, "a struct once, a union now")

	assert.Equal(t, "5.2 and later", find[*Struct](t, p, "ObjectOptionsIothread").In, "5.2 has it, but does not list it")
	assert.Equal(t, "9.2 and later", find[*Struct](t, p, "ObjectOptionsACPIGenericPort").In)
	for _, v := range find[*Enum](t, p, "TransactionActionKind").Values {
		assert.Contains(t, []string{"", "11.1"}, v.In, v.QAPI) // a simple union's in 5.2
	}

	event := find[*Event](t, p, "BlockIOError")
	assert.Equal(t, "5.2 and later", event.In)
	fields := map[string]string{}
	for _, f := range event.Struct.Fields {
		fields[f.QAPI] = f.In
	}
	assert.Equal(t, "9.2 and later", fields["qom-path"])
	assert.Empty(t, fields["device"], "as long as the event itself")

	p, err = Build(newest, Options{Package: "qapi"})
	require.NoError(t, err)
	assert.Empty(t, find[*Command](t, p, "QueryStatus").In, "nothing is known")
}

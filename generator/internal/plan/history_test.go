package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema/merge"
	"github.com/goqapi/goqapi/schema/qemu"
)

// some is a history of a few releases, without 11.0.
var some = history{&merge.Merged{Releases: []string{"5.2", "6.0", "10.1", "10.2", "11.1"}}}

func TestDescribeReleases(t *testing.T) {
	for _, c := range []struct {
		in          merge.Set
		since, want string
	}{
		{0b11111, "", "QEMU 5.2 and later"},
		{0b11100, "", "QEMU 10.1 and later"},
		{0b10000, "", "QEMU 11.1 and later"},
		{0b10000, "11.0", "QEMU 11.0 and later"},
		{0b00110, "", "QEMU 6.0 to 10.1"},
		{0b00010, "", "QEMU 6.0 only"},
		{0b10011, "", "QEMU 5.2 to 6.0, 11.1 and later"},
		{0b01001, "", "QEMU 5.2, 10.2"},
	} {
		assert.Equal(t, c.want, some.describe(c.in, c.since))
	}
}

// The release that QEMU's schema names as the first counts if it lies between two known releases.
func TestBegan(t *testing.T) {
	for since, want := range map[string]string{
		"11.0": "11.0", "11.1": "11.1", "10.2": "", "10.3": "10.3", "11.2": "", "0.14": "", "": "",
	} {
		assert.Equal(t, want, some.began(0b10000, since), since)
	}
	assert.Empty(t, some.began(0b11111, "0.14"), "the oldest release has it")
}

func TestGone(t *testing.T) {
	assert.Equal(t, "in 6.0", some.gone(0))
	assert.Equal(t, "after 6.0", some.gone(1))
	assert.Equal(t, "in 10.2", some.gone(2))
	assert.Equal(t, "after 10.2", some.gone(3), "11.0 is not known")
	for _, c := range []struct {
		last, next string
		want       bool
	}{{"5.2", "6.0", true}, {"6.0", "6.1", true}, {"6.0", "7.0", false}, {"6.1", "7.0", false}, {"x", "y", false}} {
		assert.Equal(t, c.want, follows(c.next, c.last), c)
	}
}

// TestAvailability checks some things whose history is known.
func TestAvailability(t *testing.T) {
	m := merged(t, qemu.QMP)
	p, err := Build(m, Options{Package: "qapi"})
	require.NoError(t, err)

	assert.Empty(t, find[*Command](t, p, "QueryStatus").In, "all have it")
	assert.Equal(t, "QEMU 7.1 and later", find[*Command](t, p, "QueryStats").In)
	assert.Equal(t, "QEMU 8.2 and later", find[*Command](t, p, "BlockJobChange").In)
	speed := find[*Command](t, p, "MigrateSetSpeed")
	assert.Equal(t, "QEMU 5.2 only", speed.In)
	assert.Equal(t, "in 6.0", speed.Gone)
	assert.Equal(t, "[Client.MigrateSetParameters]", speed.Instead)
	assert.Empty(t, find[*Enum](t, p, "RunState").In)
	assert.Empty(t, find[*Union](t, p, "SEVInfo").In, "a struct once, a union now")
	assert.Empty(t, find[*Struct](t, p, "MigrationRAMStats").In, "under another name")
	assert.Empty(t, find[*Struct](t, p, "ObjectOptionsIothread").In, "5.2 has it, but does not list it")
	assert.Equal(t, "QEMU 9.2 and later", find[*Struct](t, p, "ObjectOptionsACPIGenericPort").In)

	fields := map[string]*Field{}
	for _, f := range find[*Event](t, p, "BlockIOError").Struct.Fields {
		fields[f.QAPI] = f
	}
	assert.Equal(t, "QEMU 9.2 and later", fields["qom-path"].In)
	assert.Empty(t, fields["device"].In, "in the same releases as the event")
	for _, f := range find[*Struct](t, p, "ChardevBackendSocket").Fields {
		fields[f.QAPI] = f
	}
	assert.Equal(t, "QEMU 5.2 to 10.1", fields["reconnect"].In)
	assert.Equal(t, "in 10.2", fields["reconnect"].Gone)
	assert.Equal(t, "ReconnectMs", fields["reconnect"].Instead)

	for _, f := range find[*Union](t, p, "BlockExportOptions").Fields {
		fields[f.QAPI] = f
	}
	assert.Equal(t, "[Str] in QEMU 5.2 to 10.2", fields["iothread"].Only)
	assert.Empty(t, fields["node-name"].Only)

	p, err = Build(merge.One(merge.Release{Name: "11.1", Schema: m.Newest}), Options{Package: "qapi"})
	require.NoError(t, err)
	assert.Empty(t, find[*Command](t, p, "QueryStats").In, "nothing else is listed")
	assert.Equal(t, "7.1", find[*Command](t, p, "QueryStats").Since)
}

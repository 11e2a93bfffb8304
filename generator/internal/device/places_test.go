package device

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// where makes places of releases by target, such as "x86_64:0123 s390x:13".
func where(x86, arm, s390 string) places {
	p := places{}
	for target, releases := range map[string]string{"x86_64": x86, "aarch64": arm, "s390x": s390} {
		for _, r := range releases {
			p.add(target, int(r-'0'))
		}
	}
	return p
}

func TestPlaces(t *testing.T) {
	s := axes{[]string{"5.2", "7.2", "10.0", "11.1"}, []string{"x86_64", "aarch64", "s390x"}}
	all := where("0123", "0123", "0123")
	for _, c := range []struct {
		in, of      places
		where, gone string
	}{
		{all, all, "", ""},
		{where("23", "", ""), where("23", "", ""), "", ""},
		{where("123", "123", "123"), all, "In QEMU 7.2 and newer, not in 5.2.", ""},
		{where("3", "3", "3"), all, "In QEMU 11.1 and newer, not in 10.0.", ""},
		{where("0123", "0123", ""), all, "On x86_64 and aarch64, not on s390x.", ""},
		{where("123", "", ""), all, "On x86_64, not on aarch64 and s390x. In QEMU 7.2 and newer, not in 5.2.", ""},
		{where("0123", "0123", "123"), all, "On s390x in QEMU 7.2 and newer, not in 5.2.", ""},
		{where("023", "023", "023"), all, "In QEMU 5.2, 10.0 and 11.1, not in 7.2.", ""},
		{where("01", "01", "01"), all, "", "QEMU 10.0 and newer no longer have it"},
		{where("012", "012", "012"), all, "", "QEMU 11.1 no longer has it"},
		{where("12", "12", "12"), all, "In QEMU 7.2 and 10.0, not in 5.2 and 11.1.", "QEMU 11.1 no longer has it"},
		{where("01", "", ""), all, "On x86_64, not on aarch64 and s390x. In QEMU 7.2 and older, not in 10.0.", "QEMU 10.0 and newer no longer have it"},
		{where("2", "2", "2"), where("23", "23", "23"), "", "QEMU 11.1 no longer has it"},
		{where("012", "0123", "0123"), all, "On x86_64 in QEMU 10.0 and older, not in 11.1.", ""},
	} {
		where, gone := s.describe(c.in, c.of)
		assert.Equal(t, c.where, where, "%v of %v", c.in, c.of)
		assert.Equal(t, c.gone, gone, "%v of %v", c.in, c.of)
	}
}

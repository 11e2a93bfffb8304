package rules

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema/devices"
)

// prop makes a property from its type and kind as devices.txt has them.
func prop(t *testing.T, form string) devices.Prop {
	t.Helper()
	l, err := devices.Parse("x", []byte("release 1\nt\n\tp "+form+"\n"))
	require.NoError(t, err)
	return l.Types[0].Props[0]
}

func TestTake(t *testing.T) {
	const dropped = "dropped"
	for _, c := range []struct {
		form, value string
		strict      any
		lenient     any // 7.2; 5.2 is the same unless a row below says otherwise
	}{
		{"bool", `true`, true, true},
		{"bool", `"on"`, WrongKind, true},
		{"bool", `"n"`, WrongKind, false},
		{"bool", `null`, WrongKind, dropped},
		{"uint8", `255`, uint64(255), uint64(255)},
		{"uint8", `256`, OutOfRange, OutOfRange},
		{"uint8", `-1`, OutOfRange, OutOfRange},
		{"uint16", `"0x10"`, WrongKind, uint64(16)},
		{"uint16", `"010"`, WrongKind, uint64(8)},
		{"uint32", `1e3`, WrongKind, uint64(1000)},
		{"uint32", `1.5`, WrongKind, WrongKind},
		{"uint64", `-1`, uint64(1<<64 - 1), uint64(1<<64 - 1)},
		{"uint64", `18446744073709551615`, uint64(1<<64 - 1), uint64(1<<64 - 1)},
		{"uint64", `18446744073709551616`, WrongKind, WrongKind},
		{"int32", `-2147483648`, int64(-1 << 31), int64(-1 << 31)},
		{"int32", `2147483648`, OutOfRange, OutOfRange},
		{"int", `9223372036854775807`, int64(1<<63 - 1), int64(1<<63 - 1)},
		{"size", `"4k"`, WrongKind, uint64(4096)},
		{"size", `"1.5G"`, WrongKind, uint64(3 << 29)},
		{"size", `"0x10"`, WrongKind, uint64(16)},
		{"size", `"1.5"`, WrongKind, WrongKind},
		{"size", `"16E"`, WrongKind, WrongKind},
		{"size/block-size", `512`, uint64(512), uint64(512)},
		{"size/block-size", `0`, uint64(0), uint64(0)},
		{"size/block-size", `768`, OutOfRange, OutOfRange},
		{"size/block-size", `4194304`, OutOfRange, OutOfRange},
		{"uint4/uint4", `16`, OutOfRange, OutOfRange},
		{"uint8/uint4", `15`, uint64(15), uint64(15)},
		{"zpci_fid", `1`, uint64(1), uint64(1)},
		{"str", `"x"`, "x", "x"},
		{"str", `5`, WrongKind, "5"},
		{"str", `true`, WrongKind, "on"},
		{"str", `{"a":1}`, WrongKind, dropped},
		{"str read-only", `"x"`, ReadOnly, ReadOnly},
		{"str read-only", `[]`, ReadOnly, dropped},
		{"str/mac", `"52-54-00-12-34-56"`, "52-54-00-12-34-56", "52-54-00-12-34-56"},
		{"str/mac", `"52:54:00:12:34"`, BadValue, BadValue},
		{"str/uuid", `"auto"`, "auto", "auto"},
		{"QemuUUID/uuid", `"auto"`, BadValue, BadValue},
		{"str/nguid", `"00112233445566778899aabbccddeeff"`, "00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff"},
		{"str/host-pci", `"0000:01:00.8"`, BadValue, BadValue},
		{"str/css-id", `"fe.0.23ab"`, "fe.0.23ab", "fe.0.23ab"},
		{"str/css-id", `"fe.4.23ab"`, BadValue, BadValue},
		{"str/xen-disk", `"xvda"`, "xvda", "xvda"},
		{"str/drive", `""`, "", ""},
		{"str/drive", `"there"`, "there", "there"},
		{"str/drive", `"not"`, NoSuch, NoSuch},
		{"str/netdev", `""`, NoSuch, NoSuch},
		{"link<iothread>", `"not"`, NoSuch, NoSuch},
		{"link<iothread>", `""`, "", ""},
		{"str/pci-address", `16`, int64(16), int64(0x16 << 3)},
		{"str/pci-address", `"10.0"`, int64(128), int64(128)},
		{"str/pci-address", `"1f.7"`, int64(255), int64(255)},
		{"str/pci-address", `"20"`, BadValue, BadValue},
		{"str/pci-address", `"1.8"`, BadValue, BadValue},
		{"str/pci-address", `-1`, int64(-1), BadValue},
		{"str/pci-address", `256`, OutOfRange, BadValue},
		{"list/strings", `["a"]`, json.RawMessage(`["a"]`), dropped},
		{"list/strings", `[1]`, WrongKind, dropped},
		{"list/uint32s", `[1]`, json.RawMessage(`[1]`), dropped},
		{"list", `[{}]`, json.RawMessage(`[{}]`), dropped},
		{"list", `"a"`, WrongKind, "a"},
		{"Mode", `"good"`, "good", "good"},
		{"Mode", `"bad"`, BadValue, BadValue},
		{"Mode", `true`, BadValue, BadValue},
		{"SpdmTransportType", `"doe"`, "doe", "doe"},
		{"SpdmTransportType", `"smoke"`, BadValue, BadValue},
		{"NobodyKnows", `{"a":1}`, json.RawMessage(`{"a":1}`), dropped},
	} {
		p := prop(t, c.form)
		for release, want := range map[string]any{"11.1": c.strict, "7.2": c.lenient} {
			r := Of(release)
			r.Exists = func(_ devices.Prop, name string) bool { return name == "there" }
			r.Fits = func(typ string, value []byte) (string, bool) {
				if typ != "Mode" || string(value) == `"good"` {
					return "", typ == "Mode"
				}
				return "good", true
			}
			v, taken, refusal := r.Take(p, []byte(c.value))
			switch {
			case refusal != nil:
				require.Equal(t, want, refusal.Why, "%s: %s %s: it must be %s", release, c.form, c.value, refusal.Must)
			case !taken:
				require.Equal(t, want, dropped, "%s: %s %s", release, c.form, c.value)
			default:
				require.Equal(t, want, v, "%s: %s %s", release, c.form, c.value)
			}
		}
	}
	_, _, refusal := Of("5.2").Take(prop(t, "bool"), []byte(`"n"`))
	require.Equal(t, &Refusal{WrongKind, "'on' or 'off'"}, refusal)
	_, _, refusal = Of("5.2").Take(prop(t, "size"), []byte(`18446744073709551615`))
	require.Equal(t, &Refusal{WrongKind, "a size"}, refusal)
}

func TestPlug(t *testing.T) {
	require.True(t, Hotplugs("virtio-blk-pci"))
	require.False(t, Hotplugs("virtio-gpu-pci"))
	require.True(t, BusHotplugs("PCI", "5.2"))
	require.False(t, BusHotplugs("ISA", "11.1"))
	require.False(t, BusHotplugs("nvme-bus", "10.0"))
	require.True(t, BusHotplugs("nvme-bus", "11.1"))
}

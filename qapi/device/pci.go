package device

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qmp/codec"
)

// A PCIAddr is a place on a PCI bus: a slot, of 0 to 31, and a function of it, of 0 to 7.
// The zero value means that no place was chosen: QEMU then takes the first free slot.
//
// In JSON it is a text such as "05.0", which all releases read in the same way. A number means
// another place for QEMU 5.2 and 7.2 than for newer releases. UnmarshalJSON reads a number as all
// releases write it: slot times 8 plus function.
type PCIAddr struct {
	slot, function int16
	set            bool
}

// Slot returns function 0 of a slot, where devices with only one function are.
func Slot(slot int) PCIAddr { return SlotFunction(slot, 0) }

// SlotFunction returns a function of a slot. Encoding fails if no bus has such a place.
func SlotFunction(slot, function int) PCIAddr {
	clip := func(n int) int16 { return int16(max(-1, min(n, 0x7fff))) }
	return PCIAddr{clip(slot), clip(function), true}
}

// ParsePCIAddr reads an address as people write it: slot and function in hexadecimal digits,
// such as "05.0", "1f.7" or "5".
func ParsePCIAddr(text string) (PCIAddr, error) {
	slot, function, both := strings.Cut(text, ".")
	if !both {
		function = "0"
	}
	s, err := strconv.ParseUint(slot, 16, 8)
	f, err2 := strconv.ParseUint(function, 16, 8)
	a := SlotFunction(int(s), int(f))
	if err != nil || err2 != nil || !a.valid() {
		return PCIAddr{}, fmt.Errorf("device: %q is not the address of a PCI device, such as 05.0: a slot up to 1f and a function up to 7", text)
	}
	return a, nil
}

// Slot returns the slot.
func (a PCIAddr) Slot() int { return int(a.slot) }

// Function returns the function.
func (a PCIAddr) Function() int { return int(a.function) }

// IsZero reports whether a is not set.
func (a PCIAddr) IsZero() bool { return a == PCIAddr{} }

// String returns the address in hexadecimal digits, such as "05.0"; empty if there is none.
func (a PCIAddr) String() string {
	if a.IsZero() {
		return ""
	}
	if !a.valid() {
		return fmt.Sprintf("%x.%x", a.slot, a.function)
	}
	const digits = "0123456789abcdef"
	return string([]byte{digits[a.slot>>4], digits[a.slot&15], '.', digits[a.function]})
}

func (a PCIAddr) valid() bool {
	return 0 <= a.slot && a.slot < 32 && 0 <= a.function && a.function < 8
}

// MarshalJSON implements json.Marshaler.
func (a PCIAddr) MarshalJSON() ([]byte, error) { return codec.Marshal(a) }

// MarshalJSONTo implements json.MarshalerTo of encoding/json/v2.
func (a PCIAddr) MarshalJSONTo(enc *jsontext.Encoder) error {
	switch {
	case a.IsZero():
		return enc.WriteToken(jsontext.Int(-1)) // to QEMU this means any place
	case !a.valid():
		return fmt.Errorf("slot %d, function %d is not the address of a PCI device: slots go to 31, functions to 7", a.slot, a.function)
	}
	return enc.WriteToken(jsontext.String(a.String()))
}

// UnmarshalJSON implements json.Unmarshaler.
func (a *PCIAddr) UnmarshalJSON(data []byte) error { return codec.Unmarshal(data, a.decode) }

// UnmarshalJSONFrom implements json.UnmarshalerFrom of encoding/json/v2.
func (a *PCIAddr) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	return codec.UnmarshalFrom(dec, a.decode)
}

// decode reads a text such as "05.0", or the number that QEMU has for the value of the property.
func (a *PCIAddr) decode(d *codec.Decoder) {
	*a = PCIAddr{}
	switch d.Kind() {
	case 'n':
		d.Skip()
	case '"':
		d.Check(func() (err error) {
			var text string
			if d.String(&text); text != "" {
				*a, err = ParsePCIAddr(text)
			}
			return err
		})
	default:
		d.Check(func() error {
			var n int32
			codec.Int(&n, d)
			if n < -1 || n > 255 {
				return fmt.Errorf("%d is not the number of a PCI slot and function, of 0 to 255, or -1", n)
			}
			if n >= 0 {
				*a = SlotFunction(int(n)>>3, int(n)&7)
			}
			return nil
		})
	}
}

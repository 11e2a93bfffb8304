package rules

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/schema/devices"
)

// integer reads an integer, and compares it with the limits of its type.
func (r Rules) integer(p devices.Prop, n number, text string, base int) (any, *Refusal) {
	if base == 16 {
		text = strings.Replace(strings.Replace(text, "0x", "", 1), "0X", "", 1)
	}
	if !n.unsigned {
		v, err := strconv.ParseInt(text, base, 64)
		if err != nil {
			return nil, &Refusal{WrongKind, "an integer"}
		}
		if limit := int64(1) << (n.bits - 1); n.bits < 64 && (v < -limit || v >= limit) {
			return nil, &Refusal{OutOfRange, p.Type + "_t"}
		}
		if high, limited := ownLimits[p.Name]; limited && (v < 0 || v > high) {
			return nil, &Refusal{OutOfRange, "a number from 0 to " + strconv.FormatInt(high, 10)}
		}
		return v, nil
	}
	v, err := strconv.ParseUint(text, base, 64)
	if strings.HasPrefix(text, "-") { // QEMU reads -1 as the greatest number, -2 as the one below it, and so on
		var negative int64
		negative, err = strconv.ParseInt(text, base, 64)
		v = uint64(negative)
	}
	if err != nil {
		return nil, &Refusal{WrongKind, "an integer"}
	}
	if n.bits < 64 && v>>n.bits != 0 {
		return nil, &Refusal{OutOfRange, p.Type + "_t"}
	}
	return inRange(p, v)
}

// ownLimits has the greatest values of signed properties that accept fewer numbers than their
// type; the least is 0.
var ownLimits = map[string]int64{
	"guest-stats-polling-interval": math.MaxUint32,
}

// The limits of a block size. 0 is allowed, too: it means the block size of the drive.
const (
	minBlockSize = 512
	maxBlockSize = 2 << 20
)

// inRange compares a number with the limits of its kind.
func inRange(p devices.Prop, v uint64) (any, *Refusal) {
	switch p.Kind {
	case devices.KindUint4:
		if v > 15 {
			return nil, &Refusal{OutOfRange, "a number from 0 to 15"}
		}
	case devices.KindBlockSize:
		if v != 0 && (v < minBlockSize || v > maxBlockSize || bits.OnesCount64(v) != 1) {
			return nil, &Refusal{OutOfRange, "0, or a power of 2 from 512 to 2097152"}
		}
	}
	return v, nil
}

// parseSize reads a size as a text: a number that may have a fraction, and a letter for its unit.
func (r Rules) parseSize(s string) (uint64, bool) {
	shift := 0
	if s != "" {
		if i := strings.IndexByte("bkmgtpe", s[len(s)-1]|0x20); i >= 0 && !strings.HasPrefix(s, "0x") {
			s, shift = s[:len(s)-1], 10*i
		}
	}
	if hex, ok := strings.CutPrefix(s, "0x"); ok {
		v, err := strconv.ParseUint(hex, 16, 64)
		return v, err == nil
	}
	whole, fraction, _ := strings.Cut(s, ".")
	v, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || bits.LeadingZeros64(v) < shift || r.Old && v >= math.MaxUint64-1023 {
		return 0, false
	}
	v <<= shift
	if strings.Trim(fraction, "0") == "" {
		return v, true
	}
	f, err := strconv.ParseFloat("0."+fraction, 64)
	if err != nil || shift == 0 {
		return 0, false // a part of a byte does not exist
	}
	return v + uint64(f*float64(uint64(1)<<shift)), true
}

// parseBool reads a text as a bool.
func (r Rules) parseBool(s string) (any, *Refusal) {
	switch s {
	case "on", "yes", "true":
		return true, nil
	case "off", "no", "false":
		return false, nil
	case "y", "n":
		if !r.Old {
			return s == "y", nil
		}
	}
	return nil, &Refusal{WrongKind, "'on' or 'off'"}
}

// pciNumber reads a PCI address that is a number: slot × 8 + function, or -1 for any.
func pciNumber(text string) (any, *Refusal) {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, &Refusal{WrongKind, "an integer"}
	}
	if v < -1 || v > 255 {
		return nil, &Refusal{OutOfRange, "a value between -1 and 255"}
	}
	return v, nil
}

package wire

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/goqapi/goqapi/qmp/codec"
)

// Time reads a timestamp, {"seconds": 1, "microseconds": 2}. It returns the zero time for what is
// not a time, such as the -1 that QEMU sends when its clock fails.
func Time(text []byte) time.Time {
	const seconds, microseconds = `{"seconds": `, `, "microseconds": `
	var s, us int64 = -1, -1
	if rest, ok := bytes.CutPrefix(text, []byte(seconds)); ok {
		before, after, _ := bytes.Cut(bytes.TrimSuffix(rest, []byte("}")), []byte(microseconds))
		s, us = integer(before), integer(after)
	}
	if s < 0 {
		s, us = 0, 0
		decode := func(d *codec.Decoder) {
			for name := d.Object("Time"); name != nil; name = d.Member() {
				switch string(name) {
				case "seconds":
					d.Int64(&s)
				case "microseconds":
					d.Int64(&us)
				default:
					d.Unknown()
				}
			}
		}
		if codec.DecodeInto(context.Background(), text, decode) != nil {
			return time.Time{}
		}
	}
	if s < 0 || us < 0 || us >= 1e6 {
		return time.Time{}
	}
	return time.Unix(s, us*1000).UTC()
}

// integer returns the number in text, or -1.
func integer(text []byte) int64 {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

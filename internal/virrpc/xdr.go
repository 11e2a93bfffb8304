package virrpc

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Limits of the protocol. To exceed one is an error.
const (
	MaxString  = 4 << 20 // bytes of a string
	maxRecords = 1 << 18 // of a list
)

var errShort = errors.New("it ends too early")

// An Encoder appends values in the form of XDR (RFC 4506).
type Encoder struct{ Buf []byte }

// Uint appends an unsigned integer.
func (e *Encoder) Uint(v uint32) { e.Buf = binary.BigEndian.AppendUint32(e.Buf, v) }

// Int appends a signed integer.
func (e *Encoder) Int(v int32) { e.Uint(uint32(v)) }

// Hyper appends a signed integer of 64 bits.
func (e *Encoder) Hyper(v int64) { e.Buf = binary.BigEndian.AppendUint64(e.Buf, uint64(v)) }

// String appends a string.
func (e *Encoder) String(s string) {
	e.Uint(uint32(len(s)))
	e.Buf = append(e.Buf, s...)
	e.Buf = append(e.Buf, "\x00\x00\x00"[:padding(len(s))]...)
}

// Optional appends whether a value follows.
func (e *Encoder) Optional(there bool) {
	if there {
		e.Uint(1)
	} else {
		e.Uint(0)
	}
}

// Fixed appends bytes whose number both sides know, a multiple of four.
func (e *Encoder) Fixed(b []byte) { e.Buf = append(e.Buf, b...) }

func padding(n int) int { return -n & 3 }

// A Decoder reads values in the form of XDR. After the first error it returns zeros.
type Decoder struct {
	Buf []byte
	err error
}

// Err is the first error.
func (d *Decoder) Err() error { return d.err }

func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err = err
		d.Buf = nil
	}
}

// take returns the next n bytes, nil after an error.
func (d *Decoder) take(n int) []byte {
	if d.err != nil || len(d.Buf) < n {
		d.fail(errShort)
		return nil
	}
	b := d.Buf[:n]
	d.Buf = d.Buf[n:]
	return b
}

// Uint reads an unsigned integer.
func (d *Decoder) Uint() uint32 {
	if b := d.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

// Int reads a signed integer.
func (d *Decoder) Int() int32 { return int32(d.Uint()) }

// Hyper reads a signed integer of 64 bits.
func (d *Decoder) Hyper() int64 {
	if b := d.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// Bytes reads a string and returns part of the decoder's buffer.
func (d *Decoder) Bytes() []byte {
	n := d.Uint()
	if n > MaxString {
		d.fail(fmt.Errorf("a string of %d bytes is longer than the protocol allows", n))
		return nil
	}
	b := d.take(int(n))
	d.take(padding(int(n)))
	if d.err != nil {
		return nil
	}
	return b
}

// String reads a string.
func (d *Decoder) String() string { return string(d.Bytes()) }

// Optional reads whether a value follows.
func (d *Decoder) Optional() bool {
	v := d.Uint()
	if v > 1 {
		d.fail(fmt.Errorf("an optional value begins with %d, not with 0 or 1", v))
	}
	return v == 1
}

// OptionalString reads a string that may be absent.
func (d *Decoder) OptionalString() (s string, there bool) {
	if !d.Optional() {
		return "", false
	}
	return d.String(), true
}

// Fixed reads bytes whose number both sides know, a multiple of four.
func (d *Decoder) Fixed(b []byte) { copy(b, d.take(len(b))) }

// Count reads the length of a list whose elements have at least min bytes each.
func (d *Decoder) Count(min int) int {
	n := d.Uint()
	if n > maxRecords || int(n) > len(d.Buf)/min {
		d.fail(fmt.Errorf("a list of %d elements does not fit", n))
		return 0
	}
	return int(n)
}

package virrpc

import (
	"bytes"
	"io"
	"runtime"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var domain = Domain{Name: "vm1", UUID: UUID{1, 2, 3}, ID: 7}

func TestRoundTrip(t *testing.T) {
	for _, event := range []Event{
		{Domain: domain, Name: "STOP", Seconds: -1},
		{Domain: domain, Name: "SHUTDOWN", Seconds: 1 << 40, Micros: 5, Data: `{"guest":true}`, HasData: true},
	} {
		var e Encoder
		e.Event(event)
		d := Decoder{Buf: e.Buf}
		assert.Empty(t, cmp.Diff(event, d.Event()))
		assert.NoError(t, d.Err())
		assert.Empty(t, d.Buf)
	}
	states := []DomainState{{domain, 1}, {Domain{Name: "größer", ID: -1}, 5}}
	var e Encoder
	e.DomainStates(states)
	d := Decoder{Buf: e.Buf}
	assert.Empty(t, cmp.Diff(states, d.DomainStates()))
	assert.NoError(t, d.Err())

	p := Packet{Header{QEMU, 1, 2, Reply, 3, Failed}, []byte("body")}
	got, err := Read(bytes.NewReader(p.Append(nil)))
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(p, got))
	assert.Equal(t, "01020300-0000-0000-0000-000000000000", domain.UUID.String())
}

// The other fields of an error, and other kinds of parameters, are skipped.
func TestWhatLibvirtSends(t *testing.T) {
	var e Encoder
	e.Error(Error{42, 10, "Domain not found"})
	d := Decoder{Buf: e.Buf}
	assert.Equal(t, Error{42, 10, "Domain not found"}, d.Error())

	e = Encoder{}
	e.Uint(1)
	e.Domain(domain)
	e.Uint(5)
	for i, write := range []func(){func() { e.Int(3) }, func() { e.Hyper(9) }, func() { e.String("text") }, func() { e.Hyper(0) }} {
		e.String([]string{"state.state", "a", "b", "c"}[i])
		e.Int([]int32{typeInt, typeUlong, typeString, typeDouble}[i])
		write()
	}
	e.String("d")
	e.Int(typeBoolean)
	e.Int(1)
	d = Decoder{Buf: e.Buf}
	assert.Equal(t, []DomainState{{domain, 3}}, d.DomainStates())
	require.NoError(t, d.Err())
}

func TestHostile(t *testing.T) {
	for name, text := range map[string]string{
		"no message":         "\x00\x00\x00\x1b",
		"too large":          "\x7f\xff\xff\xff",
		"cut in the header":  "\x00\x00\x00\x1c\x20",
		"cut in the body":    "\x00\x00\x00\x20" + string(make([]byte, 24)) + "abc",
		"cut in the length":  "\x00\x00",
		"large, and nothing": "\x01\xff\xff\xff" + string(make([]byte, 24)),
	} {
		_, err := Read(bytes.NewReader([]byte(text)))
		assert.Error(t, err, name)
		assert.NotEqual(t, io.EOF, err, name)
	}
	for name, text := range map[string]string{
		"a long string":    "\x00\x40\x00\x01",
		"a short string":   "\x00\x00\x00\x05abcd",
		"no padding":       "\x00\x00\x00\x05abcde",
		"nothing":          "",
		"another optional": "\x00\x00\x00\x02",
	} {
		d := Decoder{Buf: []byte(text)}
		if name == "another optional" {
			d.OptionalString()
		} else {
			assert.Empty(t, d.String(), name)
		}
		assert.Error(t, d.Err(), name)
		assert.Zero(t, d.Uint())
	}
	d := Decoder{Buf: []byte("\x7f\xff\xff\xffabcdefgh")}
	assert.Empty(t, d.DomainStates())
	assert.ErrorContains(t, d.Err(), "does not fit")
}

// Messages of a peer take memory in proportion to their size, and nothing panics.
func FuzzMessages(f *testing.F) {
	var e, s, x Encoder
	e.Event(Event{Domain: domain, Name: "STOP", HasData: true, Data: "{}"})
	s.DomainStates([]DomainState{{domain, 1}})
	x.Error(Error{1, 2, "text"})
	for _, body := range [][]byte{e.Buf, s.Buf, x.Buf} {
		p := Packet{Header{QEMU, 1, 6, Message, 0, OK}, body}
		f.Add(p.Append(nil))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := Read(bytes.NewReader(text))
		if err == nil {
			for _, read := range []func(*Decoder){
				func(d *Decoder) { d.Event() }, func(d *Decoder) { d.DomainStates() }, func(d *Decoder) { d.Error() }, func(d *Decoder) { d.Lifecycle() },
			} {
				read(&Decoder{Buf: p.Body})
			}
			again, err := Read(bytes.NewReader(p.Append(nil)))
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(p, again))
		}
		runtime.ReadMemStats(&after)
		assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, 1<<20+uint64(100*len(text)), "the memory that %d bytes took", len(text))
	})
}

package virrpc

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"
)

// A Header is what each message begins with, after its length.
type Header struct {
	Program   uint32
	Version   uint32
	Procedure int32
	Type      Type
	Serial    uint32
	Status    Status
}

// A Type says what a message is.
type Type int32

// The types of messages that are used here.
const (
	Call Type = iota
	Reply
	Message // an event, or a message of the program Keepalive
	_       // data of a stream
	CallWithFiles
	ReplyWithFiles
)

// A Status says how a call went.
type Status int32

// The statuses that are used here.
const (
	OK Status = iota
	Failed
)

// The programs.
const (
	Remote    = 0x20008086
	QEMU      = 0x20008087
	Keepalive = 0x6b656570
)

const (
	headerSize = 24
	lengthSize = 4
	// MaxPacket is the size of the largest message that libvirt sends or accepts.
	MaxPacket = 32<<20 + headerSize + lengthSize
)

// A Packet is a message.
type Packet struct {
	Header
	Body []byte
}

// Append appends a message.
func (p Packet) Append(b []byte) []byte {
	e := Encoder{b}
	e.Uint(uint32(lengthSize + headerSize + len(p.Body)))
	e.Uint(p.Program)
	e.Uint(p.Version)
	e.Int(p.Procedure)
	e.Int(int32(p.Type))
	e.Uint(p.Serial)
	e.Int(int32(p.Status))
	return append(e.Buf, p.Body...)
}

// Read reads a message. Its error is io.EOF if r ends before one begins.
func Read(r io.Reader) (Packet, error) {
	var head [lengthSize + headerSize]byte
	if _, err := io.ReadFull(r, head[:lengthSize]); err != nil {
		return Packet{}, err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < uint32(len(head)) || size > MaxPacket {
		return Packet{}, fmt.Errorf("a message of %d bytes cannot be one of libvirt's", size)
	}
	if _, err := io.ReadFull(r, head[lengthSize:]); err != nil {
		return Packet{}, cutShort(err)
	}
	d := Decoder{Buf: head[lengthSize:]}
	p := Packet{Header: Header{d.Uint(), d.Uint(), d.Int(), Type(d.Int()), d.Uint(), Status(d.Int())}}
	body, err := readBody(r, int(size)-len(head))
	p.Body = body
	return p, err
}

// readBody does not trust the length in the header: it allocates memory for what has come, and at
// most as much again.
func readBody(r io.Reader, n int) ([]byte, error) {
	const first = 64 << 10
	var body []byte
	for len(body) < n {
		at := len(body)
		more := min(n-at, max(at, first))
		body = slices.Grow(body, more)[:at+more]
		if _, err := io.ReadFull(r, body[at:]); err != nil {
			return nil, cutShort(err)
		}
	}
	return body, nil
}

func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

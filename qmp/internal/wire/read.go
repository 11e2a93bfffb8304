package wire

import (
	"context"

	"github.com/goqapi/goqapi/qmp/codec"
)

// These types have names: the compiler writes the whole text of an unnamed type into the program.

// A ServerGreeting is the member QMP of a greeting.
type ServerGreeting struct {
	Version      ServerVersion `json:"version"`
	Capabilities []any         `json:"capabilities"`
}

// A ServerVersion is the version in a greeting.
type ServerVersion struct {
	QEMU    ReleaseNumbers `json:"qemu"`
	Package string         `json:"package"`
}

// ReleaseNumbers are the numbers of a release.
type ReleaseNumbers struct {
	Major int `json:"major"`
	Minor int `json:"minor"`
	Micro int `json:"micro"`
}

// ReadGreeting decodes the member QMP of a greeting.
func ReadGreeting(text []byte) (ServerGreeting, error) {
	var g ServerGreeting
	return g, codec.Decode(context.Background(), text, &g)
}

// A Refusal is the member error of a reply.
type Refusal struct {
	Class string `json:"class"`
	Desc  string `json:"desc"`
}

// ReadRefusal decodes the member error of a reply.
func ReadRefusal(text []byte) (Refusal, error) {
	var r Refusal
	return r, codec.Decode(context.Background(), text, &r)
}

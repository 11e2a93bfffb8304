package wire

import (
	"context"
	"slices"

	"github.com/goqapi/goqapi/qmp/codec"
)

// A ServerGreeting is the member QMP of a greeting.
type ServerGreeting struct {
	Version      ServerVersion
	Capabilities []string // those whose type is not a string, which the protocol allows, are left out
}

// A ServerVersion is the version in a greeting.
type ServerVersion struct {
	QEMU    ReleaseNumbers
	Package string
}

// ReleaseNumbers are the numbers of a release.
type ReleaseNumbers struct{ Major, Minor, Micro int32 }

// ReadGreeting decodes the member QMP of a greeting.
func ReadGreeting(text []byte) (ServerGreeting, error) {
	var g ServerGreeting
	err := codec.DecodeInto(context.Background(), text, g.decode)
	g.Capabilities = slices.DeleteFunc(g.Capabilities, func(name string) bool { return name == "" })
	return g, err
}

func (g *ServerGreeting) decode(d *codec.Decoder) {
	for name := d.Object("ServerGreeting"); name != nil; name = d.Member() {
		switch string(name) {
		case "version":
			g.Version.decode(d)
		case "capabilities":
			codec.List(d, &g.Capabilities, decodeCapability)
		default:
			d.Unknown()
		}
	}
}

// decodeCapability decodes the name of a capability; a value of another type is ignored.
func decodeCapability(name *string, d *codec.Decoder) {
	if d.Kind() == '"' {
		d.String(name)
	} else {
		d.Unknown()
	}
}

func (v *ServerVersion) decode(d *codec.Decoder) {
	for name := d.Object("ServerVersion"); name != nil; name = d.Member() {
		switch string(name) {
		case "qemu":
			v.QEMU.decode(d)
		case "package":
			d.String(&v.Package)
		default:
			d.Unknown()
		}
	}
}

func (r *ReleaseNumbers) decode(d *codec.Decoder) {
	for name := d.Object("ReleaseNumbers"); name != nil; name = d.Member() {
		switch string(name) {
		case "major":
			codec.Int(&r.Major, d)
		case "minor":
			codec.Int(&r.Minor, d)
		case "micro":
			codec.Int(&r.Micro, d)
		default:
			d.Unknown()
		}
	}
}

// A Refusal is the member error of a reply.
type Refusal struct{ Class, Desc string }

// ReadRefusal decodes the member error of a reply.
func ReadRefusal(text []byte) (Refusal, error) {
	var r Refusal
	err := codec.DecodeInto(context.Background(), text, r.decode)
	return r, err
}

func (r *Refusal) decode(d *codec.Decoder) {
	for name := d.Object("Refusal"); name != nil; name = d.Member() {
		switch string(name) {
		case "class":
			d.String(&r.Class)
		case "desc":
			d.String(&r.Desc)
		default:
			d.Unknown()
		}
	}
}

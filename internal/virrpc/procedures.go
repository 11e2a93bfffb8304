package virrpc

import (
	"encoding/hex"
	"fmt"
)

// Procedures of the program Remote.
const (
	ConnectOpen                = 1
	ConnectClose               = 2
	DomainLookupByName         = 23
	ConnectSupportsFeature     = 60
	AuthList                   = 66
	AuthPolkit                 = 70
	DomainEventRegister        = 316
	DomainEventLifecycle       = 318 // an event
	ConnectGetAllDomainStats   = 344
	FeatureKeepalive           = 10 // an argument of ConnectSupportsFeature
	StatsState                 = 1  // an argument of ConnectGetAllDomainStats
	StateField                 = "state.state"
	EventLifecycle             = 0 // an argument of DomainEventRegister
	AuthNone, AuthPolkitMethod = 0, 2
)

// Procedures of the program QEMU.
const (
	MonitorCommand          = 1
	AgentCommand            = 3
	MonitorEventRegister    = 4
	MonitorEvent            = 6 // an event
	MonitorCommandWithFiles = 7
)

// Procedures of the program Keepalive.
const (
	Ping = 1
	Pong = 2
)

// A UUID identifies a domain.
type UUID [16]byte

func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}

// A Domain identifies a domain.
type Domain struct {
	Name string
	UUID UUID
	ID   int32 // each run has a new one; -1: it does not run
}

// Domain appends a domain.
func (e *Encoder) Domain(d Domain) {
	e.String(d.Name)
	e.Fixed(d.UUID[:])
	e.Int(d.ID)
}

// Domain reads a domain.
func (d *Decoder) Domain() Domain {
	var dom Domain
	dom.Name = d.String()
	d.Fixed(dom.UUID[:])
	dom.ID = d.Int()
	return dom
}

// An Event is an event of a domain's monitor.
type Event struct {
	Domain  Domain
	Name    string
	Seconds int64
	Micros  uint32
	Data    string // JSON
	HasData bool
}

// Event appends an event.
func (e *Encoder) Event(v Event) {
	e.Int(0) // the number of the registration
	e.Domain(v.Domain)
	e.String(v.Name)
	e.Hyper(v.Seconds)
	e.Uint(v.Micros)
	e.Optional(v.HasData)
	if v.HasData {
		e.String(v.Data)
	}
}

// Event reads an event.
func (d *Decoder) Event() Event {
	var v Event
	d.Int()
	v.Domain, v.Name, v.Seconds, v.Micros = d.Domain(), d.String(), d.Hyper(), d.Uint()
	v.Data, v.HasData = d.OptionalString()
	return v
}

// A Lifecycle is an event of a domain's life.
type Lifecycle struct {
	Domain Domain
	Event  int32
	Detail int32
}

// Lifecycle appends an event of a domain's life.
func (e *Encoder) Lifecycle(v Lifecycle) {
	e.Int(0) // the number of the registration
	e.Domain(v.Domain)
	e.Int(v.Event)
	e.Int(v.Detail)
}

// Lifecycle reads an event of a domain's life.
func (d *Decoder) Lifecycle() Lifecycle {
	d.Int()
	return Lifecycle{d.Domain(), d.Int(), d.Int()}
}

// An Error is the body of a reply to a call that failed.
type Error struct {
	Code    int32
	Domain  int32 // the part of libvirt that it comes from
	Message string
}

// Error appends an error.
func (e *Encoder) Error(v Error) {
	e.Int(v.Code)
	e.Int(v.Domain)
	e.Optional(true)
	e.String(v.Message)
	e.Int(2) // its level: an error
	for range 4 {
		e.Optional(false) // domain, three texts
	}
	e.Int(0)
	e.Int(0)
	e.Optional(false) // network
}

// Error reads an error. What comes after the message is not read.
func (d *Decoder) Error() Error {
	v := Error{Code: d.Int(), Domain: d.Int()}
	v.Message, _ = d.OptionalString()
	return v
}

// A DomainState is a domain with the state that it is in.
type DomainState struct {
	Domain Domain
	State  int32
}

// DomainStates appends what ConnectGetAllDomainStats returns.
func (e *Encoder) DomainStates(list []DomainState) {
	e.Uint(uint32(len(list)))
	for _, v := range list {
		e.Domain(v.Domain)
		e.Uint(1)
		e.String(StateField)
		e.Int(typeInt)
		e.Int(v.State)
	}
}

// DomainStates reads what ConnectGetAllDomainStats returns.
func (d *Decoder) DomainStates() []DomainState {
	var list []DomainState
	for range d.Count(28) {
		v := DomainState{Domain: d.Domain()}
		for range d.Count(12) {
			name, value := d.parameter()
			if name == StateField {
				v.State = value
			}
		}
		if d.err != nil {
			return nil
		}
		list = append(list, v)
	}
	return list
}

// The types of parameters.
const (
	typeInt     = 1
	typeUint    = 2
	typeLong    = 3
	typeUlong   = 4
	typeDouble  = 5
	typeBoolean = 6
	typeString  = 7
)

// parameter reads a parameter, and returns the value of one that is an integer.
func (d *Decoder) parameter() (name string, value int32) {
	name = d.String()
	switch t := d.Int(); t {
	case typeInt, typeUint, typeBoolean:
		value = d.Int()
	case typeLong, typeUlong, typeDouble:
		d.Hyper()
	case typeString:
		d.Bytes()
	default:
		d.fail(fmt.Errorf("the parameter %.40q has the unknown type %d", name, t))
	}
	return name, value
}

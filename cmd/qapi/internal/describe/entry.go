// Package describe shows what a command, an event, a type or a device is: our own description,
// its parts, which releases have it, and how qapi uses it. It needs no server.
package describe

// An Entry is what is known about one name. Its JSON is what qapi describe --json prints.
type Entry struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"` // such as "command", "device", "argument" or "value"
	Release string `json:"release"`
	Facts
	Module string `json:"module,omitempty"`
	Type   string `json:"type,omitempty"` // of an argument or member

	Members  []Member `json:"members,omitempty"`
	Branches []Branch `json:"branches,omitempty"` // of a union, or of a command whose arguments are one
	Values   []Value  `json:"values,omitempty"`
	Forms    []Value  `json:"forms,omitempty"`   // of an alternate: the types it can be
	Returns  string   `json:"returns,omitempty"` // the type of a command's result

	Events  []string `json:"events,omitempty"`  // the events that the description of a command names
	Related []string `json:"related,omitempty"` // other commands and types that it names
	UsedBy  []string `json:"used_by,omitempty"` // the commands, events and types with a part of this type

	Device  *Device  `json:"device,omitempty"`
	Example []string `json:"example,omitempty"` // command lines
}

// Facts are what is known about a name or a part.
type Facts struct {
	Text       string   `json:"text,omitempty"`     // paragraphs
	Releases   string   `json:"releases,omitempty"` // those that have it, if not all from 5.2 on
	Gone       string   `json:"gone,omitempty"`     // when QEMU removed it, such as "in 9.1"
	Deprecated bool     `json:"deprecated,omitempty"`
	Instead    string   `json:"instead,omitempty"` // what to use instead
	Unstable   bool     `json:"unstable,omitempty"`
	If         string   `json:"if,omitempty"` // the builds that have it
	Features   []string `json:"features,omitempty"`
}

// A Member is an argument, a member, or a property of a device.
type Member struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Optional bool     `json:"optional"`
	Default  string   `json:"default,omitempty"` // of a property, as JSON
	Values   []string `json:"values,omitempty"`  // of an enum
	Facts
}

// A Branch is what one value of a tag adds.
type Branch struct {
	Tag     string   `json:"tag"`
	Value   string   `json:"value"`
	Type    string   `json:"type,omitempty"`
	Members []string `json:"members,omitempty"`
	Facts
}

// A Value is a value of an enum, or a form of an alternate.
type Value struct {
	Name string `json:"name"`
	Facts
}

// Device is what is known about a device in addition to its properties.
type Device struct {
	Parent   string   `json:"parent,omitempty"`
	Bus      string   `json:"bus,omitempty"` // the type of the bus that it is plugged into
	Alias    string   `json:"alias,omitempty"`
	Category string   `json:"category,omitempty"`
	Targets  []string `json:"targets,omitempty"`
	Plugs    bool     `json:"plugs"`   // it can be plugged in while the machine runs
	Creates  bool     `json:"creates"` // users can create it
}

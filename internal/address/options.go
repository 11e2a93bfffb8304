package address

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/internal/edits"
)

// on and off are the values of a flag, whichever way it is written.
const (
	on  = "on"
	off = "off"
)

// A form is the form of an option's value.
type form int

const (
	flag form = iota
	number
	text
)

// An option is one that some QEMU from 5.2 on accepts for a socket, or has in its schema.
type option struct {
	name string
	kind string // of the address; "": both
	form form
}

// Most of them concern QEMU only, and are ignored. delay is the older name of the
// opposite of nodelay.
var options = []option{
	{"abstract", "unix", flag},
	{"tight", "unix", flag},

	{"ipv4", "tcp", flag},
	{"ipv6", "tcp", flag},
	{"numeric", "tcp", flag},
	{"to", "tcp", number},
	{"keep-alive", "tcp", flag},
	{"keep-alive-count", "tcp", number},
	{"keep-alive-idle", "tcp", number},
	{"keep-alive-interval", "tcp", number},
	{"mptcp", "tcp", flag},

	{"id", "", text},
	{"server", "", flag},
	{"wait", "", flag},
	{"delay", "", flag},
	{"nodelay", "", flag},
	{"reconnect", "", number},
	{"reconnect-ms", "", number},
	{"telnet", "", flag},
	{"tn3270", "", flag},
	{"websocket", "", flag},
	{"tls-creds", "", text},
	{"tls-authz", "", text},
	{"mux", "", flag},
	{"logfile", "", text},
	{"logappend", "", flag},
	{"logtimestamp", "", flag},
}

// values are the options of an address. If one is given twice, the last counts.
type values map[string]string

// split splits an address, without its kind, into its parts.
func split(kind, rest string) (where string, opts values, err error) {
	const comma = "\x00" // an address contains no zero byte
	parts := strings.Split(strings.ReplaceAll(rest, ",,", comma), ",")
	for i := range parts {
		parts[i] = strings.ReplaceAll(parts[i], comma, ",")
	}
	where = parts[0]
	if kind == "unix" {
		where = strings.TrimPrefix(where, pathOption)
	}
	opts = values{}
	for _, part := range parts[1:] {
		name, value, err := readOption(kind, part)
		if err != nil {
			return "", nil, err
		}
		opts[name] = value
	}
	return where, opts, nil
}

// readOption reads NAME=VALUE, or QEMU's short forms of a flag: NAME and noNAME.
func readOption(kind, part string) (name, value string, err error) {
	name, value, assigned := strings.Cut(part, "=")
	o := find(kind, name)
	if positive, negated := strings.CutPrefix(name, "no"); o == nil && negated && !assigned {
		if o = find(kind, positive); o != nil && o.form == flag {
			return o.name, off, nil
		}
		o = nil
	}
	switch {
	case o == nil:
		return "", "", unknown(kind, name)
	case assigned:
		value, err = o.check(value)
		return o.name, value, err
	case o.form == flag:
		return o.name, on, nil
	}
	return "", "", fmt.Errorf("the option %q has no value", name)
}

// find returns an option that an address of a kind may have.
func find(kind, name string) *option {
	for i := range options {
		if o := &options[i]; o.name == name && (o.kind == "" || o.kind == kind) {
			return o
		}
	}
	return nil
}

// check returns the value, that of a flag as on or off.
func (o *option) check(value string) (string, error) {
	switch o.form {
	case flag:
		switch value {
		case "on", "yes", "true", "y":
			return on, nil
		case "off", "no", "false", "n":
			return off, nil
		}
		return "", fmt.Errorf("the option %q is on or off, not %q", o.name, value)
	case number:
		if _, err := strconv.ParseUint(value, 0, 64); err != nil {
			return "", fmt.Errorf("the option %q is a number, not %q", o.name, value)
		}
	case text:
		if value == "" {
			return "", fmt.Errorf("the option %q has no value", o.name)
		}
	}
	return value, nil
}

// unknown returns the error for an option that does not exist. It may be the rest of a path
// that has a comma.
func unknown(kind, name string) error {
	guess := similar(kind, name)
	switch {
	case guess != "" && !strings.Contains(name, "/"):
		return fmt.Errorf("unknown option %q; is %q meant?", name, guess)
	case kind == "unix":
		return fmt.Errorf("unknown option %q; a comma that belongs to the path is doubled", name)
	}
	return fmt.Errorf("unknown option %q", name)
}

// similar returns the option whose name is most like an unknown one's, if there is one.
func similar(kind, name string) string {
	best, least := "", min(3, (len(name)+1)/2)
	for i := range options {
		o := &options[i]
		if o.kind != "" && o.kind != kind {
			continue
		}
		if d := min(edits.Distance(name, o.name), edits.Distance(strings.TrimPrefix(name, "no"), o.name)); d < least {
			best, least = o.name, d
		}
	}
	return best
}

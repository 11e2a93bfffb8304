package cmdline

import "fmt"

// A release is a release of QEMU, such as 7.2.
type release struct{ major, minor int }

// never is the value of format.json for an option that takes JSON in no release.
var never = release{}

func (r release) has(t target) bool { return r != never && t.AtLeast(r.major, r.minor) }

// A format is how an option's value is written.
type format struct {
	option string // such as "netdev"
	of     program
	json   release // the first that takes JSON
	// first is the member whose value comes first, without its name; "" if there is none.
	first string
	// lists is how lists and objects are written in the option's key=value form.
	lists lists
	// mib is the member whose number is in MiB if it has no unit; "" if there is none.
	mib string
}

// arg returns the option with the value that a function returns.
func (f format) arg(build func(t target) ([]string, error)) Arg {
	return Arg{"-" + f.option, f.of, build}
}

// value returns the option with a value that encodes to a JSON object.
func (f format) value(value any) Arg {
	return f.arg(func(t target) ([]string, error) {
		object, err := encode(value)
		if err != nil {
			return nil, err
		}
		if f.json.has(t) {
			return f.words(t, string(object)), nil
		}
		pairs, err := f.flatten(t, object)
		if err != nil {
			return nil, err
		}
		first, rest := "", pairs[:0]
		for _, p := range pairs {
			switch p.key {
			case f.first:
				first = p.value
			case f.mib:
				rest = append(rest, pair{p.key, p.value + "B"})
			default:
				rest = append(rest, p)
			}
		}
		return f.pairs(t, first, rest)
	})
}

// named returns the option with a name, and with properties in alphabetical order.
func (f format) named(name string, props map[string]any) Arg {
	return f.arg(func(t target) ([]string, error) {
		object, err := encode(props)
		if err != nil {
			return nil, err
		}
		pairs, err := f.flatten(t, object)
		if err != nil {
			return nil, err
		}
		return f.pairs(t, name, pairs)
	})
}

// flatten returns the pairs of a JSON object.
func (f format) flatten(t target, object []byte) ([]pair, error) {
	pairs, err := flatten(object, f.lists)
	if err != nil {
		return nil, fmt.Errorf("QEMU %d.%d takes key=value for this option, not JSON: %w", t.Major, t.Minor, err)
	}
	return pairs, nil
}

// pairs returns the option with its key=value text.
func (f format) pairs(t target, first string, pairs []pair) ([]string, error) {
	if f.first != "" {
		if err := checkName(f.first, first); err != nil {
			return nil, err
		}
	}
	text, err := join(first, pairs)
	if err != nil {
		return nil, err
	}
	return f.words(t, text), nil
}

func (f format) words(t target, text string) []string {
	if t.program == daemon {
		return []string{"--" + f.option, text}
	}
	return []string{"-" + f.option, text}
}

package cmdline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/qmp"
)

// An Arg is an option of QEMU's command line with its value, as the functions of this
// package make it.
type Arg struct {
	option string // such as "-netdev"
	build  func(v qmp.Version) ([]string, error)
}

// Args returns the arguments for a QEMU of a release, in the order given. Of the version
// only the numbers matter: qmp.Version{Major: 7, Minor: 2}; [Version] asks a program for
// its own. Releases before 5.2 are an error.
func Args(v qmp.Version, args ...Arg) ([]string, error) {
	switch {
	case v == (qmp.Version{}):
		return nil, errors.New("cmdline: for which release? the version is zero; cmdline.Version asks a program for its own")
	case !v.AtLeast(5, 2):
		return nil, fmt.Errorf("cmdline: QEMU %s is older than 5.2, the oldest that is supported", v)
	}
	var list []string
	for i, arg := range args {
		if arg.build == nil {
			return nil, fmt.Errorf("cmdline: argument %d is a zero Arg", i)
		}
		words, err := arg.build(v)
		if err != nil {
			return nil, fmt.Errorf("cmdline: argument %d, %s: %w", i, arg.option, err)
		}
		list = append(list, words...)
	}
	return list, nil
}

// A release is one of QEMU's, such as 7.2.
type release struct{ major, minor int }

// never is the release since which an option takes JSON that does not.
var never = release{}

func (r release) has(v qmp.Version) bool { return r != never && v.AtLeast(r.major, r.minor) }

// A format is how an option's value is written.
type format struct {
	option string
	json   release // since which it takes JSON
	// first is the member whose value comes first, without its name; "" for none.
	first string
	// lists is what the option's key=value form makes of lists and objects.
	lists lists
	// mib is the member whose number is one of MiB if it has no unit; "" for none.
	mib string
}

// arg is the option with a value that encodes to a JSON object.
func (f format) arg(value any) Arg {
	return Arg{f.option, func(v qmp.Version) ([]string, error) {
		object, err := encode(value)
		if err != nil {
			return nil, err
		}
		return f.write(v, object)
	}}
}

// write is the option with a JSON object as a release takes it.
func (f format) write(v qmp.Version, object []byte) ([]string, error) {
	if f.json.has(v) {
		return []string{f.option, string(object)}, nil
	}
	pairs, err := flatten(object, f.lists)
	if err != nil {
		return nil, fmt.Errorf("QEMU %d.%d takes key=value here, not JSON: %w", v.Major, v.Minor, err)
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
	return f.join(first, rest)
}

// join is the option with its key=value text.
func (f format) join(first string, pairs []pair) ([]string, error) {
	if f.first != "" {
		if err := checkName(f.first, first); err != nil {
			return nil, err
		}
	}
	text, err := join(first, pairs)
	if err != nil {
		return nil, err
	}
	return []string{f.option, text}, nil
}

// Text is any other option, or several, word by word: Text("-boot", "menu=on", "-S"). A
// value with a comma in it may need [Escape]. Texts that have a secret in them are an error,
// as far as it can be recognized.
func Text(words ...string) Arg {
	option := "no option"
	if len(words) > 0 {
		option = words[0]
	}
	return Arg{option, func(qmp.Version) ([]string, error) {
		for i, word := range words {
			if strings.ContainsRune(word, 0) {
				return nil, errNUL
			}
			if err := checkText(words[max(0, i-1)], word); err != nil {
				return nil, err
			}
		}
		return words, nil
	}}
}

// Escape doubles the commas of a value, as in Text("-name", "guest="+cmdline.Escape(name)).
func Escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }

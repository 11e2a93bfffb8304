package cmdline

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/qmp"
)

// An Arg is an option of a command line with its value. The functions of this package
// return it.
type Arg struct {
	option string // for errors, such as "-netdev"
	of     program
	build  func(t target) ([]string, error)
}

// A program is one of QEMU's programs; for an option, the set of those that have it.
type program int

const (
	system program = 1 << iota // the emulators, such as qemu-system-x86_64
	daemon                     // qemu-storage-daemon
)

// A target is the program, and its version, that arguments are for.
type target struct {
	qmp.Version
	program
}

// Args returns the arguments for a QEMU of a release, in the order given. Only the numbers of
// the version matter: qmp.Version{Major: 7, Minor: 2}; [Version] asks a program for
// its version. A release before 5.2 is an error.
func Args(v qmp.Version, args ...Arg) ([]string, error) {
	return target{v, system}.words(args)
}

// StorageDaemon is like [Args], for qemu-storage-daemon, which has [Blockdev], [Object], [Chardev],
// [Monitor], [NBDServer], [Export] and [Text].
func StorageDaemon(v qmp.Version, args ...Arg) ([]string, error) {
	return target{v, daemon}.words(args)
}

func (t target) words(args []Arg) ([]string, error) {
	switch {
	case t.Version == (qmp.Version{}):
		return nil, errors.New("cmdline: the version is zero; cmdline.Version asks a program for its version")
	case !t.AtLeast(5, 2):
		return nil, fmt.Errorf("cmdline: QEMU %s is older than 5.2, the oldest that is supported", t)
	}
	var list []string
	for i, arg := range args {
		if arg.build == nil {
			return nil, fmt.Errorf("cmdline: argument %d is a zero Arg", i+1)
		}
		words, err := arg.words(t)
		if err != nil {
			return nil, fmt.Errorf("cmdline: argument %d, %s: %w", i+1, arg.option, err)
		}
		list = append(list, words...)
	}
	return list, nil
}

func (a Arg) words(t target) ([]string, error) {
	switch {
	case a.of&t.program != 0:
		return a.build(t)
	case t.program == daemon:
		return nil, errors.New("qemu-storage-daemon does not have it")
	}
	return nil, errors.New("only qemu-storage-daemon has it; for QEMU, use a QMP command")
}

// Text is any other option, or several, word by word: Text("-boot", "menu=on", "-S"). A
// value that contains a comma may need [Escape]. A text with a secret is an error,
// if the secret can be recognised.
func Text(words ...string) Arg {
	return Arg{"text", system | daemon, func(target) ([]string, error) {
		option := ""
		for _, word := range words {
			if err := checkText(option, word); err != nil {
				return nil, fmt.Errorf("after %q: %w", option, err)
			}
			if strings.HasPrefix(word, "-") {
				option = word
			}
		}
		return words, nil
	}}
}

// Escape doubles the commas of a value, as in Text("-name", "guest="+cmdline.Escape(name)).
func Escape(value string) string { return strings.ReplaceAll(value, ",", ",,") }

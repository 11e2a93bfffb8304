// Package arguments makes the arguments of a command from words such as
// "file.driver=nbd", by the types of the schema.
//
// Reading has two steps: [Read] needs only the words, and refuses secrets; [Words.Encode] needs
// the schema of the server.
package arguments

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Help describes arguments, for the help of commands.
const Help = `ARG is one of
  name=value        a value of the type in the schema: text, 10M for a size, on or off
  a.b=value         a member of a member; numbers are places in a list: addrs.0.host=…
  name:=JSON        JSON, as it is
  name=@FILE        what a file has, without the last line end
  name=-            what standard input has
Only one ARG can be the whole object: {JSON}, @FILE, or - for standard input.`

// Sources are the files and the input that words can refer to.
type Sources struct {
	ReadFile     func(path string) ([]byte, error) // nil: os.ReadFile
	Stdin        io.Reader
	AllowSecrets bool // set if the words are not on a command line, which other users can see
}

// Words are the words of a command that were read, but do not have types yet.
type Words struct {
	command string
	whole   []byte // if not nil, the whole object
	root    *node
}

// A node is a value as given by the words: a leaf, or the members of an object or list.
type node struct {
	word    string // the first word that it comes from
	json    []byte // a leaf that is JSON
	text    string // a leaf that is text
	private bool   // set if it is not from the command line
	names   []string
	members map[string]*node // nil: a leaf
}

// Read reads words. Its errors mean wrong usage.
func Read(command string, words []string, from Sources) (*Words, error) {
	if from.ReadFile == nil {
		from.ReadFile = os.ReadFile
	}
	if err := checkName(command); err != nil {
		return nil, err
	}
	w := &Words{command: command, root: &node{members: map[string]*node{}}}
	for _, word := range words {
		isWhole := word == "-" || strings.HasPrefix(word, "@") || strings.HasPrefix(word, "{")
		switch {
		case isWhole && len(words) > 1:
			return nil, fmt.Errorf("%s is the whole object: there cannot be other arguments", start(word))
		case isWhole:
			return w, w.setWhole(word, &from)
		}
		if err := w.add(word, &from); err != nil {
			return nil, err
		}
	}
	if from.AllowSecrets {
		return w, nil
	}
	return w, w.refuseSecrets()
}

// checkName returns an error for a text that cannot be the name of a command, not even in a fork of
// QEMU.
func checkName(command string) error {
	if strings.HasPrefix(command, "{") {
		return errors.New("the command is JSON: give its name, and then its arguments, such as name=value")
	}
	isOther := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	}
	if command == "" || strings.ContainsFunc(command, isOther) {
		return fmt.Errorf("%q is not the name of a command, such as query-status", start(command))
	}
	return nil
}

// start returns the beginning of a word, for an error. Values in JSON may be secret.
func start(word string) string {
	const limit = 40
	if strings.HasPrefix(word, "{") {
		return "{…"
	}
	if len(word) <= limit {
		return word
	}
	return strings.ToValidUTF8(word[:limit], "") + "…"
}

func (w *Words) setWhole(word string, from *Sources) (err error) {
	private := !strings.HasPrefix(word, "{")
	w.whole = []byte(word)
	if private {
		w.whole, err = from.read(word)
	}
	if err != nil {
		return err
	}
	if kind := jsontext.Value(w.whole).Kind(); kind != '{' || !jsontext.Value(w.whole).IsValid() {
		return fmt.Errorf("%s is not a JSON object", start(word))
	}
	if private || from.AllowSecrets {
		return nil
	}
	return w.refuseSecrets()
}

// read returns the text that a reference, "-" or "@FILE", stands for.
func (from *Sources) read(reference string) (text []byte, err error) {
	if path, ok := strings.CutPrefix(reference, "@"); ok {
		return from.ReadFile(path)
	}
	if from.Stdin == nil {
		return nil, errors.New("standard input can be used only once")
	}
	text, err = io.ReadAll(from.Stdin)
	from.Stdin = nil
	return text, err
}

// add adds a word such as a.b=value.
func (w *Words) add(word string, from *Sources) error {
	path, value, ok := strings.Cut(word, "=")
	if !ok || path == "" || path == ":" {
		return fmt.Errorf("%s is not an argument, such as name=value", start(word))
	}
	leaf := &node{word: path}
	path, isJSON := strings.CutSuffix(path, ":")
	leaf.word = path
	switch {
	case isJSON:
		leaf.json = []byte(value)
		if !jsontext.Value(leaf.json).IsValid() {
			return fmt.Errorf("%s: what follows := is not JSON; text needs quotes: %s:='\"…\"', or %s=…", path, path, path)
		}
	case value == "-" || strings.HasPrefix(value, "@"):
		text, err := from.read(value)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		leaf.text, leaf.private = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r"), true
	default:
		leaf.text = value
	}
	return w.root.place(strings.Split(path, "."), leaf)
}

// place puts a leaf at a path below n.
func (n *node) place(path []string, leaf *node) error {
	name := path[0]
	old := n.members[name]
	switch {
	case name == "":
		return fmt.Errorf("%s: a name is empty", leaf.word)
	case old == nil:
		n.names = append(n.names, name)
	case len(path) == 1 || old.members == nil:
		return fmt.Errorf("%s is given twice", leaf.word)
	}
	if len(path) == 1 {
		n.members[name] = leaf
		return nil
	}
	if old == nil {
		old = &node{word: strings.TrimSuffix(leaf.word, "."+strings.Join(path[1:], ".")), members: map[string]*node{}}
		n.members[name] = old
	}
	return old.place(path[1:], leaf)
}

package devices

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parse reads the text form of a list. Errors begin with name and the number of the line.
// It accepts what Format writes, and comments: lines that begin with #.
func Parse(name string, text []byte) (*List, error) {
	p := &parser{list: &List{}, types: map[string]*Type{}}
	for line := range strings.Lines(string(text)) {
		p.line++
		if err := p.parseLine(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, p.line, err)
		}
	}
	if p.list.Release == "" {
		return nil, fmt.Errorf("%s:%d: there is no line that names the release", name, max(p.line, 1))
	}
	return p.list, nil
}

type parser struct {
	list  *List
	types map[string]*Type
	line  int
}

func (p *parser) parseLine(line string) error {
	line, isProp := strings.CutPrefix(line, "\t")
	if line == "" || line[0] == '#' && !isProp {
		return nil
	}
	words, err := splitWords(line)
	switch {
	case err != nil:
		return err
	case isProp:
		return p.parseProp(words)
	case len(words) == 2 && words[0] == "release":
		return p.parseRelease(words[1])
	case len(words) == 3 && words[0] == "binary":
		return p.parseBinary(Binary{Target: words[1], Version: words[2]})
	}
	return p.parseType(words)
}

func (p *parser) parseRelease(release string) error {
	switch {
	case release == "":
		return fmt.Errorf("the release has no name")
	case p.list.Release != "":
		return fmt.Errorf("there are two lines that name the release; the first says %s", p.list.Release)
	}
	p.list.Release = release
	return nil
}

func (p *parser) parseBinary(b Binary) error {
	switch {
	case len(p.list.Types) > 0:
		return fmt.Errorf("a binary comes before all types")
	case b.Target == "" || strings.Contains(b.Target, ","):
		return fmt.Errorf("the binary's target %q is not a name", b.Target)
	case slices.Contains(p.list.Targets(), b.Target):
		return fmt.Errorf("the target %s is named twice", b.Target)
	}
	p.list.Binaries = append(p.list.Binaries, b)
	return nil
}

func (p *parser) parseType(words []string) error {
	t := &Type{Name: words[0]}
	if t.Name == "" || p.types[t.Name] != nil {
		return fmt.Errorf("the type %q is defined twice, or has no name", t.Name)
	}
	if words = words[1:]; len(words) > 1 && words[0] == below {
		t.Parent, words = words[1], words[2:]
		if p.types[t.Parent] == nil {
			return fmt.Errorf("type %s: its parent %s does not exist, or comes after it", t.Name, t.Parent)
		}
	}
	attrs := map[string]string{}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		if _, twice := attrs[name]; twice {
			return fmt.Errorf("type %s: %s is given twice", t.Name, name)
		}
		attrs[name] = value
		if err := p.typeWord(t, word); err != nil {
			return fmt.Errorf("type %s: %w", t.Name, err)
		}
	}
	if err := p.inherit(t, attrs); err != nil {
		return fmt.Errorf("type %s: %w", t.Name, err)
	}
	p.types[t.Name] = t
	p.list.Types = append(p.list.Types, t)
	return nil
}

// typeWord reads one word of a type's line.
func (p *parser) typeWord(t *Type, word string) (err error) {
	name, value, isAttr := strings.Cut(word, "=")
	switch {
	case !isAttr && name == "abstract":
		t.Abstract = true
	case !isAttr && name == "no-user":
		t.NoUser = true
	case !isAttr:
		return fmt.Errorf("the word %q is not known", word)
	case name == "bus":
		t.Bus = value
	case name == "category":
		t.Category = value
	case name == "alias":
		t.Alias = value
	case name == "on":
		t.Targets, err = p.targets(value, p.list.Targets())
	case name == "alias-on":
		t.AliasTargets, err = p.targets(value, p.list.Targets())
	case name == "unasked":
		t.Unasked, err = p.targets(value, p.list.Targets())
	default:
		return fmt.Errorf("the word %q is not known in the line of a type", name+"=")
	}
	return err
}

// inherit takes from the parent what the text does not say about a type, and checks the rest.
func (p *parser) inherit(t *Type, said map[string]string) error {
	parent := &Type{}
	if t.Parent != "" {
		parent = p.types[t.Parent]
	}
	if _, own := said["bus"]; !own {
		t.Bus = parent.Bus
	}
	if _, own := said["category"]; !own {
		t.Category = parent.Category
	}
	if _, own := said["on"]; !own {
		t.Targets = parent.Targets
	}
	targets := p.list.TargetsOf(t)
	if _, out := split(targets, parent.Targets); len(out) > 0 {
		return fmt.Errorf("its parent is not on the target %s", out[0])
	}
	if len(targets) == len(p.list.Binaries) {
		t.Targets = nil
	}
	for _, some := range [][]string{t.AliasTargets, t.Unasked} {
		if _, out := split(some, targets); len(out) > 0 {
			return fmt.Errorf("it is not on the target %s", out[0])
		}
	}
	return nil
}

// targets reads names of targets, which must be in the usual order.
func (p *parser) targets(value string, all []string) ([]string, error) {
	names := strings.Split(value, ",")
	at := -1
	for _, name := range names {
		next := slices.Index(all, name)
		if next < 0 {
			return nil, fmt.Errorf("the target %q is not one of %s", name, strings.Join(all, ", "))
		}
		if next <= at {
			return nil, fmt.Errorf("the target %s is named twice, or out of order", name)
		}
		at = next
	}
	return names, nil
}

func (p *parser) parseProp(words []string) error {
	if len(p.list.Types) == 0 {
		return fmt.Errorf("a property comes after a type")
	}
	t := p.list.Types[len(p.list.Types)-1]
	if len(words) < 2 || words[0] == "" {
		return fmt.Errorf("a property of %s has no name or no type", t.Name)
	}
	prop := Prop{Name: words[0]}
	err := prop.parseForm(words[1])
	for _, word := range words[2:] {
		if err == nil {
			err = p.propWord(t, &prop, word)
		}
	}
	if err == nil {
		err = p.checkProp(t, prop)
	}
	if err != nil {
		return fmt.Errorf("%s.%s: %w", t.Name, prop.Name, err)
	}
	t.Props = append(t.Props, prop)
	return nil
}

// parseForm reads a property's type and kind.
func (p *Prop) parseForm(word string) error {
	p.Type = word
	if at := strings.LastIndexByte(word, '/'); at >= 0 {
		p.Type, p.Kind = word[:at], Kind(word[at+1:])
	}
	switch {
	case p.Type == absent && p.Kind == KindNone:
		p.Type, p.Absent = "", true
	case p.Type == "":
		return fmt.Errorf("it has no type")
	case p.Kind != KindNone && !slices.Contains(kinds, p.Kind):
		return fmt.Errorf("the kind %q is not known", p.Kind)
	}
	return nil
}

// propWord reads one word of a property's line, after its type.
func (p *parser) propWord(t *Type, prop *Prop, word string) (err error) {
	name, value, isAttr := strings.Cut(word, "=")
	switch {
	case isAttr && name == "" && prop.Default == "":
		if !json.Valid([]byte(value)) {
			return fmt.Errorf("the default %q is not JSON", value)
		}
		prop.Default = value
	case word == "read-only" && !prop.ReadOnly:
		prop.ReadOnly = true
	case isAttr && name == "on" && prop.Targets == nil:
		prop.Targets, err = p.targets(value, p.list.TargetsOf(t))
	default:
		return fmt.Errorf("the word %q is not known, or given twice", word)
	}
	return err
}

// checkProp checks a property against those before it.
func (p *parser) checkProp(t *Type, prop Prop) error {
	if prop.Absent && (prop.Default != "" || prop.ReadOnly) {
		return fmt.Errorf("it is absent, but is also described")
	}
	for _, before := range slices.Backward(t.Props) {
		if before.Name != prop.Name {
			break
		}
		if on, _ := split(p.list.TargetsOf(t), before.Targets); len(on) > 0 {
			if both, _ := split(on, prop.Targets); len(both) > 0 {
				return fmt.Errorf("it is given twice on %s", both[0])
			}
		}
	}
	if n := len(t.Props); n > 0 && compareProps(t.Props[n-1], prop) >= 0 {
		return fmt.Errorf("it is out of order: it comes before %s", t.Props[n-1].Name)
	}
	return nil
}

// splitWords splits a line at single spaces. A word that begins with a quote is as in Go.
func splitWords(line string) ([]string, error) {
	var words []string
	for more := true; more; {
		var word string
		if strings.HasPrefix(line, `"`) {
			quoted, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, fmt.Errorf("a word is not quoted as in Go: %s", line)
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, fmt.Errorf("a word is not quoted as in Go: %s", line)
			}
			if line = line[len(quoted):]; line != "" && line[0] != ' ' {
				return nil, fmt.Errorf("no space follows the word %s", quoted)
			}
			_, line, more = strings.Cut(line, " ")
		} else if word, line, more = strings.Cut(line, " "); word == "" {
			return nil, fmt.Errorf("there are two spaces, or one at the end")
		}
		words = append(words, word)
	}
	return words, nil
}

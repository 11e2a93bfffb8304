// Package descriptions has our own descriptions of QEMU's interface, for the comments of the
// bindings and for people at a terminal: a file for each QAPI module, keyed by QAPI names.
//
//	# eject
//
//	opens the tray of a drive and takes the medium out.
//
//	It fails while the guest has locked the tray.
//
//	- id: The device's id, as given to device_add.
//	- force: Opens a locked tray, too.
//
// The text of a definition completes a sentence that begins with the definition's Go name.
// Items describe members, arguments and values by their QAPI names; they may continue in
// indented lines. In a union the item named * describes each variant without members.
// Empty lines separate paragraphs. Names of commands and events become links to their Go
// names. Names that are also English words, and names of types, must be in brackets:
// [stop].
package descriptions

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/internal/regular"
	"github.com/goqapi/goqapi/schema"
)

// Empty is the name of the item about a union's variants without members.
const Empty = "*"

// A Description is the text about one definition.
type Description struct {
	Text    string            // paragraphs, with empty lines between them
	Members map[string]string // by QAPI name
	At      schema.Pos
}

// Descriptions has all descriptions of a schema, by the QAPI names of the definitions.
type Descriptions map[string]*Description

// Load reads the files of a folder, such as block-core.md for block-core.json.
func Load(fsys fs.FS) (Descriptions, error) {
	paths, err := fs.Glob(fsys, "*.md")
	if err != nil {
		return nil, err
	}
	return read(fsys, paths)
}

// PropertiesFile describes the properties of devices by their names, wherever they are.
const PropertiesFile = "properties.md"

// LoadDevices reads the descriptions of devices, with items about their properties, and the
// descriptions of properties that mean the same for all devices.
func LoadDevices(fsys fs.FS) (devices, properties Descriptions, err error) {
	paths, err := fs.Glob(fsys, "*.md")
	if err != nil {
		return nil, nil, err
	}
	if i := slices.Index(paths, PropertiesFile); i >= 0 {
		paths = slices.Delete(paths, i, i+1)
		if properties, err = read(fsys, []string{PropertiesFile}); err != nil {
			return nil, nil, err
		}
	}
	devices, err = read(fsys, paths)
	return devices, properties, err
}

func read(fsys fs.FS, paths []string) (Descriptions, error) {
	all := Descriptions{}
	for _, name := range paths {
		text, err := regular.ReadFile(fsys, name, 16<<20)
		if err != nil {
			return nil, err
		}
		if err := all.parse(name, string(text)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// parse adds the descriptions in a file.
func (all Descriptions) parse(file, text string) error {
	var d *Description
	var item string // the member that the last item describes
	for i, line := range strings.Split(text, "\n") {
		at := schema.Pos{File: file, Line: i + 1}
		line = strings.TrimRight(line, " \t\r")
		switch {
		case strings.HasPrefix(line, "# "):
			name := strings.TrimSpace(line[2:])
			if other := all[name]; other != nil {
				return fmt.Errorf("%s:%d: '%s' is described at %s:%d already", file, i+1, name, other.At.File, other.At.Line)
			}
			d, item = &Description{Members: map[string]string{}, At: at}, ""
			all[name] = d
		case line == "":
			if d != nil && item == "" && !strings.HasSuffix(d.Text, "\n\n") {
				d.Text += "\n"
			}
		case d == nil:
			return fmt.Errorf("%s:%d: text before the first '# name'", file, i+1)
		case strings.HasPrefix(line, "- "):
			name, about, ok := strings.Cut(line[2:], ": ")
			if !ok || strings.Contains(name, " ") {
				return fmt.Errorf("%s:%d: an item must be '- name: text'", file, i+1)
			}
			if d.Members[name] != "" {
				return fmt.Errorf("%s:%d: '%s' is described twice", file, i+1, name)
			}
			item = name
			d.Members[name] = strings.TrimSpace(about)
		case item != "" && strings.HasPrefix(line, "  "):
			d.Members[item] += " " + strings.TrimSpace(line)
		case item != "":
			return fmt.Errorf("%s:%d: text after the items: paragraphs come before them", file, i+1)
		default:
			d.Text += strings.TrimSpace(line) + "\n"
		}
	}
	for _, d := range all {
		d.Text = strings.TrimSpace(d.Text)
	}
	return nil
}

// Check returns what is wrong with the descriptions of a schema: names that the schema
// does not have, and definitions that are described in another module's file.
func (all Descriptions) Check(s *schema.Schema) []error {
	var errs []error
	complain := func(at schema.Pos, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s:%d: %s", at.File, at.Line, fmt.Sprintf(format, args...)))
	}
	for name, d := range all {
		def := s.Lookup(name)
		if def == nil {
			complain(d.At, "the schema has no '%s'", name)
			continue
		}
		module := strings.TrimSuffix(path.Base(def.Def().Module.Path), ".json")
		if module+".md" != d.At.File {
			complain(d.At, "'%s' belongs in %s.md", name, module)
		}
		parts := schema.Parts(def)
		if _, ok := def.(*schema.Union); ok {
			parts = append(parts, Empty)
		}
		for member := range d.Members {
			if !slices.Contains(parts, member) {
				complain(d.At, "%s '%s' has no '%s'", def.Kind(), name, member)
			}
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errs
}

// Member returns the description of a member of a definition. It is in the definition's
// entry, or in that of the base that declares the member. Member returns "" if there is
// none.
func (all Descriptions) Member(owner schema.Definition, name string) string {
	if d := all[owner.Def().Name]; d != nil && d.Members[name] != "" {
		return d.Members[name]
	}
	if from := schema.Inherited(owner); from != nil {
		return all.Member(from, name)
	}
	return ""
}

package schema

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/internal/regular"
)

// An Option changes what Load does.
type Option func(*loader)

// CheckLayout checks documentation comments by the layout rules that QEMU has
// had since 10.2: at most 70 characters in a line, two spaces between sentences.
func CheckLayout() Option { return func(l *loader) { l.layout = true } }

// KeepDocs keeps the text of documentation comments, in Common.Doc.
func KeepDocs() Option { return func(l *loader) { l.keepDocs = true } }

// Limits on the size of a schema, far above the size of QEMU's, which limit the time and
// the memory that a bad schema can take.
const (
	maxIncludes = 100      // how deep includes nest; QEMU's go to five
	maxText     = 16 << 20 // bytes of all files; QEMU's have 0.8 million
	maxBases    = 100      // how deep bases and branches nest; QEMU's go to three
	maxParts    = 500_000  // members, values and branches, including those that a definition takes from others; QEMU's have 6,100
)

// A loader reads the files of one schema.
type loader struct {
	fsys             fs.FS
	layout, keepDocs bool

	schema     *Schema
	exceptions exceptions
	files      map[string]*sourceFile
	decls      []*decl
	docs       []*docComment
	errs       ErrorList
	era        era
	text       int64 // bytes that have been read
}

// A sourceFile is a module with data for the loader only.
type sourceFile struct {
	*Module
	from    []Pos // the include directives that led here, the nearest first
	open    bool  // being read
	pragmas bool  // the file sets pragmas
}

// A decl is a definition on its way from syntax to model.
type decl struct {
	node       *node
	file       *sourceFile
	doc        *docComment // nil if it has none
	era        era
	exceptions *exceptions

	def      Definition
	features []*Feature // of the definition and its members, for its documentation
	bad      bool       // the definition or a part of it has an error; no more errors are reported
	err      *Error     // the error of an object, once it is checked

	// What is not resolved yet.
	base          string // struct or union: the name of the base
	discriminator string
	checking      bool // to find a struct that contains itself
	checked       bool
	nesting       int // how deep its bases and branches nest, once it is checked
}

func (d *decl) errorf(format string, args ...any) *Error {
	e := &Error{Pos: d.node.pos, Msg: fmt.Sprintf(format, args...), Included: d.file.from}
	e.Pos.Col = 0
	if d.def != nil {
		e.In = d.def.Kind() + " '" + d.def.Def().Name + "'"
	}
	return e
}

func load(fsys fs.FS, root string, opts []Option) (*Schema, error) {
	l := &loader{
		fsys:   fsys,
		schema: &Schema{defs: make(map[string]Definition)},
		files:  make(map[string]*sourceFile),
		era:    eraCurrent,
	}
	for _, opt := range opts {
		opt(l)
	}
	l.fail(l.readRoot(root))
	l.parseDocs()
	l.sortErrors()
	l.exceptions = exceptionsOf(&l.schema.Pragmas)
	// After errors in one stage, the next stage would report errors that are only
	// consequences. Therefore each stage runs only if the one before has succeeded.
	for _, stage := range []func(){l.shape, l.define, l.resolve, l.check, l.applyDocs} {
		if len(l.errs) > 0 {
			return nil, l.errs
		}
		stage()
	}
	if len(l.errs) > 0 {
		return nil, l.errs
	}
	l.schema.pragmas = l.schema.Modules[0]
	if i := slices.IndexFunc(l.schema.Modules, func(m *Module) bool { return l.files[m.Path].pragmas }); i > 0 {
		l.schema.pragmas = l.schema.Modules[i]
	}
	l.schema.oldForm = l.era == eraWhitelists || slices.ContainsFunc(l.schema.Definitions(), oldForm)
	return l.schema, nil
}

func (l *loader) fail(err *Error) {
	if err != nil {
		l.errs = append(l.errs, err)
	}
}

// sortErrors sorts errors by files and lines.
func (l *loader) sortErrors() {
	order := make(map[string]int)
	for i, m := range l.schema.Modules {
		order[m.Path] = i
	}
	slices.SortStableFunc(l.errs, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(order[a.Pos.File], order[b.Pos.File]), cmp.Compare(a.Pos.Line, b.Pos.Line))
	})
}

func (l *loader) readRoot(root string) *Error {
	if !fs.ValidPath(root) || root == "." {
		return &Error{Pos: Pos{File: root}, Msg: "the root of a schema must be a path with slashes, without '.' and '..'"}
	}
	src, err := l.read(root)
	if err != nil {
		return &Error{Pos: Pos{File: root}, Msg: "the schema cannot be read: " + reason(err), Err: err}
	}
	f := l.addFile(root, nil)
	if err := l.readFile(f, src); err != nil {
		return err
	}
	return nil
}

// read reads a file, as far as the limit for all files allows.
func (l *loader) read(name string) ([]byte, error) {
	src, err := regular.ReadFile(l.fsys, name, maxText-l.text)
	l.text += int64(len(src))
	return src, err
}

// reason returns the text of a file system's error without the path, which is already in the
// message.
func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}

func (l *loader) addFile(name string, from []Pos) *sourceFile {
	f := &sourceFile{Module: &Module{Path: name}, from: from}
	l.files[name] = f
	l.schema.Modules = append(l.schema.Modules, f.Module)
	return f
}

// readFile reads one file, and each included file at its include directive.
func (l *loader) readFile(f *sourceFile, src []byte) *Error {
	f.open = true
	defer func() { f.open = false }()
	err := l.readExpressions(f, newLexer(f.Path, src))
	if err != nil && err.Included == nil && err.Pos.File == f.Path {
		err.Included = f.from
	}
	return err
}

func (l *loader) readExpressions(f *sourceFile, lx *lexer) *Error {
	if err := lx.next(); err != nil {
		return err
	}
	var doc *docComment // the one before the current expression
	for lx.tok != tokEOF {
		if lx.tok == tokComment {
			doc.dangle()
			var err *Error
			if doc, err = lx.scanDoc(); err != nil {
				return err
			}
			l.addDoc(f, doc)
			continue
		}
		n, err := lx.parseValue(0)
		if err != nil {
			return err
		}
		pos := Pos{File: f.Path, Line: n.pos.Line}
		if !n.isObject() {
			return &Error{Pos: pos, Msg: "an object '{...}' is expected here"}
		}
		var directive func(*sourceFile, *node) *Error
		switch {
		case n.get("include") != nil:
			directive = l.include
		case n.get("pragma") != nil:
			directive = l.pragma
		case doc != nil && doc.symbol == "":
			return &Error{Pos: doc.pos, Msg: "the documentation before a definition must begin with its name, '# @name:'"}
		default:
			l.decls = append(l.decls, &decl{node: n, file: f, doc: doc})
		}
		if directive != nil {
			doc.dangle()
			if err := directive(f, n); err != nil {
				return err
			}
		}
		doc = nil
	}
	doc.dangle()
	return nil
}

func (l *loader) addDoc(f *sourceFile, doc *docComment) {
	doc.from = f.from
	l.docs = append(l.docs, doc)
	l.era = min(l.era, eraOf(doc))
}

// dangle records that no definition follows the documentation.
func (d *docComment) dangle() {
	if d != nil && d.symbol != "" {
		d.dangles = true
	}
}

// include handles {'include': 'path'}.
func (l *loader) include(f *sourceFile, n *node) *Error {
	pos := Pos{File: f.Path, Line: n.pos.Line}
	fail := func(format string, args ...any) *Error {
		return &Error{Pos: pos, Msg: fmt.Sprintf(format, args...)}
	}
	if len(n.keys) != 1 {
		return fail("'include' must be the only key of its directive")
	}
	arg := n.get("include")
	if !arg.isString() {
		return fail("'include' must be a string")
	}
	name := path.Join(path.Dir(f.Path), arg.text)
	if strings.HasPrefix(arg.text, "/") || !fs.ValidPath(name) || name == "." {
		return fail("the included file '%s' is not below the root of the schema", arg.text)
	}
	inc := l.files[name]
	if inc == nil {
		if len(f.from) >= maxIncludes {
			return fail("includes nest deeper than %d levels", maxIncludes)
		}
		src, err := l.read(name)
		if err != nil {
			e := fail("the included file '%s' cannot be read: %s", arg.text, reason(err))
			e.Err = err
			return e
		}
		inc = l.addFile(name, append([]Pos{pos}, f.from...))
		f.Includes = append(f.Includes, inc.Module)
		return l.readFile(inc, src)
	}
	if inc.open {
		return fail("the file '%s' includes itself", name)
	}
	f.Includes = append(f.Includes, inc.Module)
	return nil
}

// pragma handles {'pragma': {...}}. A later setting replaces an earlier one.
func (l *loader) pragma(f *sourceFile, n *node) *Error {
	fail := func(format string, args ...any) *Error {
		return &Error{Pos: Pos{File: f.Path, Line: n.pos.Line}, Msg: fmt.Sprintf(format, args...)}
	}
	if len(n.keys) != 1 {
		return fail("'pragma' must be the only key of its directive")
	}
	arg := n.get("pragma")
	if !arg.isObject() {
		return fail("'pragma' must be an object")
	}
	f.pragmas = true
	p := &l.schema.Pragmas
	for i, key := range arg.keys {
		v := arg.elems[i]
		if key.text == "doc-required" {
			if v.kind != tokTrue && v.kind != tokFalse {
				return fail("the pragma 'doc-required' must be true or false")
			}
			p.DocRequired = v.kind == tokTrue
			continue
		}
		list := p.list(key.text)
		if list == nil {
			return fail("unknown pragma '%s'", key.text)
		}
		if !v.isList() {
			return fail("the pragma '%s' must be a list of strings", key.text)
		}
		*list = nil
		for _, e := range v.elems {
			if !e.isString() {
				return fail("the pragma '%s' must be a list of strings", key.text)
			}
			*list = append(*list, e.text)
		}
		if strings.HasSuffix(key.text, "-whitelist") {
			l.era = eraWhitelists
		}
	}
	return nil
}

// exceptions has the definitions that pragmas name.
type exceptions struct{ commandName, commandReturns, memberName, documentation map[string]bool }

func exceptionsOf(p *Pragmas) exceptions {
	return exceptions{set(p.CommandNameExceptions), set(p.CommandReturnsExceptions), set(p.MemberNameExceptions), set(p.DocumentationExceptions)}
}

func set(names []string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}

// list returns the list that a pragma sets, or nil.
func (p *Pragmas) list(name string) *[]string {
	switch name {
	case "command-name-exceptions":
		return &p.CommandNameExceptions
	case "command-returns-exceptions", "returns-whitelist":
		return &p.CommandReturnsExceptions
	case "member-name-exceptions", "name-case-whitelist":
		return &p.MemberNameExceptions
	case "documentation-exceptions":
		return &p.DocumentationExceptions
	}
	return nil
}

// parseDocs finds the parts of all documentation comments. It needs the era, which is
// known only after all files are read.
func (l *loader) parseDocs() {
	for _, d := range l.docs {
		err := d.parse(l.era)
		if err == nil && l.layout {
			err = d.checkLayout()
		}
		if err == nil && d.dangles {
			err = d.errorf(d.pos.Line, 0, "the definition of '%s' does not follow its documentation", d.symbol)
		}
		if err != nil {
			err.Included = d.from
			l.fail(err)
		}
	}
}

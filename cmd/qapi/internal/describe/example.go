package describe

import (
	"errors"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
	"github.com/goqapi/goqapi/schema"
)

// withOptional are optional arguments that almost every use of a command needs.
var withOptional = map[string][]string{
	"block_resize":                {"node-name"},
	"block_set_io_throttle":       {"id"},
	"blockdev-add":                {"node-name"},
	"blockdev-change-medium":      {"id"},
	"blockdev-close-tray":         {"id"},
	"blockdev-open-tray":          {"id"},
	"blockdev-backup":             {"job-id"},
	"blockdev-mirror":             {"job-id"},
	"block-commit":                {"job-id"},
	"block-stream":                {"job-id"},
	"block-latency-histogram-set": {"boundaries"},
	"device_add":                  {"id"},
	"eject":                       {"id"},
	"migrate":                     {"uri"},
	"migrate-incoming":            {"uri"},
	"guest-exec":                  {"capture-output"},
}

// usual are the values of enums in examples, by the name of the enum; for other enums it is the
// first value.
var usual = map[string]string{
	"BlockdevDriver": "qcow2", "BlockExportType": "nbd", "ObjectType": "iothread", "NetClientDriver": "tap",
	"ChardevBackendKind": "socket", "SocketAddressType": "unix", "MirrorSyncMode": "full", "JobType": "create",
	"TransactionActionKind": "blockdev-snapshot", "DisplayProtocol": "vnc", "QapiErrorClass": "GenericError",
	"StatsTarget": "vcpu", "MigrationCapability": "events", "DumpGuestMemoryFormat": "elf",
}

// commandExample returns a command line with which a server executes a command.
func (l *Library) commandExample(b *book, c *schema.Command) []string {
	x := example{optional: withOptional[c.Name]}
	if c.Name == "device_add" {
		x.words = []string{"driver=virtio-blk-pci", "id=ID", "drive=NODE-NAME"}
	} else {
		x.object(c.Args, "", true)
	}
	x.hideSecrets(c.Name)
	verb := "qapi call ADDR "
	if b.agent {
		verb = "qapi agent ADDR call "
	}
	return []string{verb + strings.Join(append([]string{c.Name}, x.words...), " ")}
}

// An example consists of the arguments that a command needs.
type example struct {
	optional []string
	words    []string
	depth    int
}

// deepest is how deep examples are: types may contain themselves.
const deepest = 6

// object adds the members that an object needs, and at the top level also the usual ones.
func (x *example) object(t schema.Type, prefix string, top bool) {
	if x.depth++; x.depth > deepest {
		x.depth--
		return
	}
	defer func() { x.depth-- }()
	var members []*schema.Member
	var branch schema.Type
	switch t := t.(type) {
	case *schema.Struct:
		members = t.AllMembers()
	case *schema.Union:
		members = t.Base.AllMembers()
		if b := t.Branch(chosen(t.Discriminator.Type.(*schema.Enum))); b != nil {
			branch = b.Type
		}
	}
	for _, m := range members {
		if !m.Optional || top && slices.Contains(x.optional, m.Name) {
			x.value(m.Type, prefix+m.Name)
		}
	}
	if branch != nil {
		x.object(branch, prefix, top)
	}
}

// value adds a value with a name.
func (x *example) value(t schema.Type, name string) {
	last := name[strings.LastIndexByte(name, '.')+1:]
	switch t := t.(type) {
	case *schema.Enum:
		x.add(name + "=" + chosen(t))
	case *schema.Array:
		if before := len(x.words); before >= 0 {
			if x.value(t.Elem, name+".0"); len(x.words) == before { // an element without members
				x.add(name + ":=[]")
			}
		}
	case *schema.Alternate:
		x.value(form(t), name)
	case *schema.Struct, *schema.Union:
		before := len(x.words)
		if x.object(t, name+".", false); len(x.words) == before {
			x.add(name + ":={}")
		}
	case schema.Builtin:
		x.add(name + builtinValue(t, last))
	}
}

func (x *example) add(word string) { x.words = append(x.words, word) }

// form returns the form of an alternate that is the shortest to write.
func form(t *schema.Alternate) schema.Type {
	for _, b := range t.Branches {
		if b.Type == schema.Type(schema.Str) {
			return b.Type
		}
	}
	return t.Branches[0].Type
}

func chosen(e *schema.Enum) string {
	if v := usual[e.Name]; v != "" && e.Value(v) != nil {
		return v
	}
	for _, v := range e.Values {
		if !slices.ContainsFunc(v.Features, func(f *schema.Feature) bool { return f.Name == "deprecated" }) {
			return v.Name
		}
	}
	return e.Values[0].Name
}

// builtinValue returns the text that follows a name.
func builtinValue(t schema.Builtin, name string) string {
	switch t {
	case schema.Str:
		if strings.Trim(name, "0123456789") == "" {
			name = "text"
		}
		return "=" + strings.ToUpper(name)
	case schema.Bool:
		return "=on"
	case schema.Size:
		return "=1G"
	case schema.Any:
		return ":=JSON"
	case schema.Null:
		return ":=null"
	case schema.Number:
		return "=0.5"
	}
	return "=1"
}

// hideSecrets replaces secrets, which qapi does not accept as arguments, by files.
func (x *example) hideSecrets(command string) {
	for range x.words {
		words := strings.Split(strings.ReplaceAll(strings.Join(x.words, "\n"), ":=JSON", ":=1"), "\n")
		_, err := arguments.Read(command, words, arguments.Sources{ReadFile: func(string) ([]byte, error) { return []byte("x"), nil }})
		secret, ok := errors.AsType[*arguments.SecretError](err)
		if !ok {
			return
		}
		for i, word := range x.words {
			if name, _, _ := strings.Cut(word, "="); name == secret.Name {
				x.words[i] = name + "=@FILE"
			}
		}
	}
}

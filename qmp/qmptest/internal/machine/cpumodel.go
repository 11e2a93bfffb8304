package machine

import (
	"cmp"
	_ "embed"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

//go:embed cpuprops.txt
var cpuPropertyFacts string

// expandable are the CPU models whose properties are known here, and the columns of the list
// that have them.
var expandable = map[string]string{"base": "base", "qemu64": "qemu64", "max": "max", "host": "max"}

// expandCPUModel returns the properties of a CPU model, with those that the command sets.
func (m *Machine) expandCPUModel(args qapi.QueryCPUModelExpansionArgs, req Request) (any, error) {
	name := args.Model.Name
	column, static := expandable[name], args.Type == qapi.CPUModelExpansionTypeStatic
	switch {
	case column == "" && m.hasCPUModel(name):
		return nil, m.host.NotExecuted("the model " + name + " of query-cpu-model-expansion")
	case column == "":
		return nil, generic("CPU model '%s' not found", name)
	}
	all := m.cpuProperties(column)
	if err := m.setCPUProperties(all, args.Model); err != nil {
		return nil, err
	}
	if static {
		name = "base"
	}
	props := map[string]jsontext.Value{}
	for _, p := range all {
		if p.static || !static {
			props[p.name] = p.value
		}
	}
	text, err := json.Marshal(props)
	return qapi.CPUModelExpansionInfo{Model: qapi.CPUModelInfo{Name: name, Props: text}}, err
}

func (m *Machine) hasCPUModel(name string) bool {
	for _, c := range m.cpuDefinitions() {
		if c.Name == name {
			return true
		}
	}
	return false
}

// A cpuProperty is one of a CPU model.
type cpuProperty struct {
	name   string
	value  jsontext.Value
	static bool
}

func (m *Machine) cpuProperties(column string) (all []*cpuProperty) {
	for _, r := range m.records(cpuPropertyFacts) {
		if r.is("max-only") && column != "max" {
			continue
		}
		p := &cpuProperty{name: r.name, value: jsontext.Value("false"), static: r.is("static")}
		for _, word := range []string{"all", column} {
			if r.is(word) {
				p.value = jsontext.Value(r.words[word])
			}
		}
		all = append(all, p)
	}
	return all
}

// setCPUProperties gives a model the properties that a client wants it to have.
func (m *Machine) setCPUProperties(all []*cpuProperty, model qapi.CPUModelInfo) error {
	given := map[string]jsontext.Value{}
	if len(model.Props) > 0 && json.Unmarshal(model.Props, &given) != nil {
		if m.since("10.0") {
			return generic("Invalid parameter type for 'model.props', expected: object")
		}
		return nil // it is ignored
	}
	for name, v := range given {
		known := false
		for _, p := range all {
			if featureOf(p.name) != featureOf(name) {
				continue
			}
			if isBool(p.value) != isBool(v) {
				return generic("Invalid parameter type for 'model.props.%s'", name)
			}
			known, p.value = true, v
		}
		if !known {
			return generic("Property '%s-x86_64-cpu.%s' not found", model.Name, name)
		}
	}
	return nil
}

// synonyms are features that go by two names.
var synonyms = map[string]string{
	"ffxsr": "fxsr-opt", "i64": "lm", "pclmuldq": "pclmulqdq", "pni": "sse3", "xd": "nx",
}

// featureOf returns what a property is about: some have several spellings.
func featureOf(property string) string {
	name := strings.NewReplacer("_", "-", ".", "-").Replace(property)
	return cmp.Or(synonyms[name], name)
}

func isBool(v jsontext.Value) bool { return v.Kind() == 't' || v.Kind() == 'f' }

package machine

import (
	_ "embed"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// capabilityCommands returns the commands that managers issue once, to find out what a QEMU can do.
func (m *Machine) capabilityCommands() map[string]Handler {
	return map[string]Handler{
		"query-cpu-definitions":      query(m, m.cpuDefinitions),
		"query-machines":             handle(m, m.machines),
		"query-command-line-options": handle(m, m.commandLineOptions),
		"query-cpu-model-expansion":  handle(m, m.expandCPUModel),
	}
}

//go:embed cpus.txt
var cpuFacts string

func (m *Machine) cpuDefinitions() []qapi.CPUDefinitionInfo {
	all := []qapi.CPUDefinitionInfo{}
	for _, r := range m.records(cpuFacts) {
		all = append(all, qapi.CPUDefinitionInfo{
			Name: r.name, Typename: r.name + "-x86_64-cpu", AliasOf: r.text("alias"), UnavailableFeatures: []string{},
			MigrationSafe: new(!r.is("unsafe")), Static: r.is("static"), Deprecated: r.is("deprecated"),
		})
	}
	return all
}

//go:embed machines.txt
var machineFacts string

// aliases are the short names of machines, which stand for the newest version.
var aliases = map[string]string{"pc-i440fx-": "pc", "pc-q35-": "q35", "xenfv-": "xenfv"}

func (m *Machine) machines(args qapi.QueryMachinesArgs, _ Request) (any, error) {
	all := []qapi.MachineInfo{}
	for _, r := range m.records(machineFacts) {
		cpus, _ := strconv.ParseInt(r.words["cpus"], 10, 64) // the list is ours
		info := qapi.MachineInfo{
			Name: r.name, CPUMax: cpus, HotpluggableCPUs: r.is("hotplug"), NUMAMemSupported: r.is("numa"),
			DefaultRAMID: r.text("ram"), ACPI: r.is("acpi") && m.since("8.0"),
			Deprecated: r.is("deprecated") && m.since(r.words["deprecated"]),
		}
		if cpu := r.text("cpu"); cpu != nil {
			info.DefaultCPUType = new(*cpu + "-x86_64-cpu")
		}
		if value(args.CompatProps) {
			info.CompatProps = []qapi.CompatProperty{} // none of them are known here
		}
		m.setAlias(&info)
		all = append(all, info)
	}
	return all, nil
}

// setAlias sets the short name of a machine that is the newest version of its kind.
func (m *Machine) setAlias(info *qapi.MachineInfo) {
	for kind, alias := range aliases {
		newest := m.host.Release()
		if alias == "xenfv" {
			newest = "3.1"
			if m.since("6.0") {
				newest = "4.2"
			}
		}
		if version, ok := strings.CutPrefix(info.Name, kind); ok && version == newest {
			info.Alias = &alias
			if alias == "pc" {
				info.IsDefault = new(true)
			}
		}
	}
}

//go:embed options.txt
var optionFacts string

// commandLineOptions leaves out the help, which is QEMU's own text.
func (m *Machine) commandLineOptions(args qapi.QueryCommandLineOptionsArgs, _ Request) (any, error) {
	all := []qapi.CommandLineOptionInfo{}
	for _, r := range m.records(optionFacts) {
		if args.Option != nil && *args.Option != r.name {
			continue
		}
		info := qapi.CommandLineOptionInfo{Option: r.name, Parameters: []qapi.CommandLineParameterInfo{}}
		for _, p := range r.parts {
			info.Parameters = append(info.Parameters, qapi.CommandLineParameterInfo{
				Name: p.name, Type: qapi.CommandLineParameterType(p.words["type"]), Default: p.text("default"),
			})
		}
		all = append(all, info)
	}
	if args.Option != nil && len(all) == 0 {
		return nil, generic("invalid option name: %s", *args.Option)
	}
	return all, nil
}

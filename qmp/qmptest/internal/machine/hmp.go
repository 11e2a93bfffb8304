package machine

import (
	_ "embed"
	"fmt"
	"maps"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/qapi"
)

//go:embed hmp.txt
var hmpNames string

// hmpKnown has the commands of the human monitors of all releases; commands of info begin with
// "info ".
var hmpKnown = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{}
	for name := range strings.FieldsSeq(hmpNames) {
		all[strings.Replace(name, "/", " ", 1)] = true
	}
	return all
})

// hmp returns the lines of the human monitor that are executed. Each returns what is printed.
func (m *Machine) hmp(req Request) map[string]func() string {
	done := func(f func(struct{}, Request) error) func() string {
		return func() string {
			if err := f(struct{}{}, req); err != nil {
				return "Error: " + description(err) + "\r\n"
			}
			return ""
		}
	}
	all := m.infos()
	maps.Copy(all, map[string]func() string{
		"cont":             done(m.cont),
		"c":                done(m.cont),
		"stop":             done(m.stop),
		"system_reset":     done(m.reset),
		"system_powerdown": done(m.powerdown),
		"info status":      m.hmpStatus,
		"info balloon":     m.hmpBalloon,
		"info network":     m.hmpNetwork,
		"info name":        func() string { return "" },
		"info uuid":        func() string { return "00000000-0000-0000-0000-000000000000\r\n" },
		"info kvm":         func() string { return "kvm support: disabled\r\n" },
		"info vnc":         func() string { return "None\r\n" },
	})
	if m.since("7.2") {
		all["s"] = all["stop"]
	}
	if len(m.jobs) == 0 {
		all["info block-jobs"] = func() string { return "No active jobs\r\n" }
	}
	return all
}

func (m *Machine) hmpStatus() string {
	switch m.status {
	case qapi.RunStateRunning, qapi.RunStatePaused:
		return fmt.Sprintf("VM status: %s\r\n", m.status)
	}
	return fmt.Sprintf("VM status: paused (%s)\r\n", m.status)
}

func (m *Machine) hmpBalloon() string {
	d, err := m.balloon()
	if err != nil {
		return "Error: " + description(err) + "\r\n"
	}
	return fmt.Sprintf("balloon: actual=%d\r\n", d.has>>20)
}

// humanMonitor executes a line of the human monitor, if the machine knows it.
func (m *Machine) humanMonitor(args qapi.HumanMonitorCommandArgs, req Request) (any, error) {
	if int32(value(args.CPUIndex)) != 0 { // QEMU looks only at the lower 32 bits
		return nil, generic("Parameter 'cpu-index' expects a CPU number")
	}
	words := strings.Fields(args.CommandLine)
	if len(words) == 0 {
		return "", nil
	}
	name, rest := words[0], words[1:]
	if name == "info" && len(rest) > 0 {
		name, rest = name+" "+rest[0], rest[1:]
	}
	if l, ok := m.lines(req)[name]; ok {
		return l.execute(name, split(strings.Join(rest, " "))), nil
	}
	f := m.hmp(req)[name]
	switch {
	case f == nil && (!hmpKnown()[name] || name == "s" || m.onlyElsewhere(name)): // this release does not have the line
		return fmt.Sprintf("unknown command: '%s'\r\n", name), nil
	case f == nil:
		return nil, m.host.NotExecuted("the line " + args.CommandLine + " of human-monitor-command")
	case len(rest) > 0:
		called := strings.TrimPrefix(name, "info ")
		switch called {
		case "c", "cont":
			called = "cont|c"
		case "s", "stop":
			if called = "stop"; m.since("7.2") {
				called = "stop|s"
			}
		}
		return fmt.Sprintf("%s: extraneous characters at the end of line\r\nTry \"help %s\" for more information\r\n",
			called, name), nil
	}
	return f(), nil
}

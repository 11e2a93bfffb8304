package machine

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// removedCommands returns the commands that only older releases have.
func (m *Machine) removedCommands() map[string]Handler {
	return map[string]Handler{
		"block_passwd": change(m, func(jsontext.Value, Request) error {
			return generic("Setting block passwords directly is no longer supported")
		}),
		"change":                   change(m, m.changeNamed),
		"migrate_set_downtime":     change(m, m.setDowntime),
		"migrate_set_speed":        change(m, m.setMigrationSpeed),
		"migrate-set-cache-size":   change(m, m.setCacheSize),
		"query-cpus":               query(m, m.interruptCPUs),
		"query-migrate-cache-size": query(m, func() any { return m.migration.params["xbzrle-cache-size"] }),
		"query-migrationthreads":   query(m, func() jsontext.Value { return jsontext.Value("[]") }),
	}
}

// changeNamed executes change, which puts a medium into a drive that has a name, or changes the VNC
// display. Here no drive has a name, and there is no VNC display.
func (m *Machine) changeNamed(args qapi.ChangeArgs, _ Request) error {
	switch {
	case args.Device != "vnc":
		return notFound(args.Device)
	case args.Target == "password" && args.Arg == nil:
		return generic("Parameter 'password' is missing")
	case args.Target == "password":
		return generic("Could not set password")
	}
	return generic("VNC display not active")
}

func (m *Machine) setDowntime(args qapi.MigrateSetDowntimeArgs, req Request) error {
	const most = 2000
	if !(args.Value >= 0 && args.Value <= most) {
		return generic("Parameter 'downtime_limit' expects an integer in the range of 0 to %d seconds", most)
	}
	return m.setParameter("downtime-limit", int64(args.Value*1000), req)
}

func (m *Machine) setMigrationSpeed(args qapi.MigrateSetSpeedArgs, req Request) error {
	return m.setParameter("max-bandwidth", uint64(args.Value), req) // -1: without a limit
}

func (m *Machine) setCacheSize(args qapi.MigrateSetCacheSizeArgs, req Request) error {
	const page = 4096
	if args.Value < page || args.Value&(args.Value-1) != 0 {
		return generic("Parameter 'xbzrle_cache_size' expects is invalid, it should be bigger than target page size and a power of 2")
	}
	return m.setParameter("xbzrle-cache-size", args.Value, req)
}

func (m *Machine) setParameter(name string, value any, req Request) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return m.setParameters(map[string]jsontext.Value{name: text}, req)
}

// An interruptedCPU is an element of the reply to query-cpus, for which QEMU interrupted the
// processors.
type interruptedCPU struct {
	CPU      int64                       `json:"CPU"`
	Current  bool                        `json:"current"`
	Halted   bool                        `json:"halted"`
	QOMPath  string                      `json:"qom_path"`
	ThreadID int64                       `json:"thread_id"`
	Props    *qapi.CPUInstanceProperties `json:"props"`
	Arch     string                      `json:"arch"`
	PC       int64                       `json:"pc"`
}

func (m *Machine) interruptCPUs() any {
	const reset = 0xfffffff0 // where a processor of a PC begins
	all := []interruptedCPU{}
	for place := range m.countPlaces() {
		if d := m.cpuAt(place); d != nil {
			all = append(all, interruptedCPU{
				int64(place), place == 0, false, d.path, firstThread + d.thread, m.cpuProps(place), "x86", reset,
			})
		}
	}
	return all
}

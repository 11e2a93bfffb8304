package machine

import (
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) dumpCommands() map[string]Handler {
	return map[string]Handler{
		"dump-guest-memory": change(m, m.dumpMemory),
		"query-dump":        query(m, func() qapi.DumpQueryResult { return m.dump }),
	}
}

// dumpSize is how much a dump of all memory writes, including the memory of the firmware.
const dumpSize = memory + 64<<10

// fullDevice is a file that nothing can be written to.
const fullDevice = "/dev/full"

func (m *Machine) dumpMemory(args qapi.DumpGuestMemoryArgs, req Request) error {
	file, isFile := strings.CutPrefix(args.Protocol, "file:")
	fd, isFD := strings.CutPrefix(args.Protocol, "fd:")
	switch {
	case args.Format != nil && *args.Format != qapi.DumpGuestMemoryFormatElf && args.Paging:
		return generic("kdump-compressed format doesn't support paging or filter")
	case args.Begin != nil && args.Length == nil:
		return generic("Parameter 'length' is missing")
	case args.Begin == nil && args.Length != nil:
		return generic("Parameter 'begin' is missing")
	case isFD && m.files[fd] == nil:
		return generic("File descriptor named '%s' has not been found", fd)
	case !isFile && !isFD && m.since("10.0"):
		return generic("parameter 'protocol' must start with 'file:' or 'fd:'")
	case !isFile && !isFD:
		return generic("Invalid parameter 'protocol'")
	}
	ran := m.running()
	if ran {
		m.halt(qapi.RunStateSaveVM)
	}
	m.dump = qapi.DumpQueryResult{Status: qapi.DumpStatusActive, Total: dumpSize}
	var err error
	if file == fullDevice {
		err = generic("dump: failed to write elf header: No space left on device")
	}
	end := func() {
		m.endDump(err)
		if ran && m.status == qapi.RunStateSaveVM {
			m.status = qapi.RunStateRunning
			m.host.Emit(qapi.ResumeEvent{})
		}
	}
	if value(args.Detach) {
		m.after(req, end)
		return nil
	}
	end()
	return err
}

func (m *Machine) endDump(err error) {
	var why *string
	if m.dump.Status, m.dump.Completed = qapi.DumpStatusCompleted, dumpSize; err != nil {
		m.dump.Status, m.dump.Completed = qapi.DumpStatusFailed, 0
		why = new(description(err))
	}
	m.host.Emit(qapi.DumpCompletedEvent{Result: m.dump, Error: why})
}

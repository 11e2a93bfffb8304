package machine

import (
	"fmt"

	"github.com/goqapi/goqapi/qapi"
)

// reasons are the texts of the host's errors, as C has them.
var reasons = map[int64]string{
	1: "Operation not permitted", 5: "Input/output error", 13: "Permission denied", 28: "No space left on device",
}

const noSpace = 28

func reason(errno int64) string {
	if text := reasons[errno]; text != "" {
		return text
	}
	return fmt.Sprintf("Unknown error %d", errno)
}

// firmwareReads does what the firmware does first when a machine runs: it reads from the
// disks. The first bad disk may stop the machine.
func (m *Machine) firmwareReads() {
	for _, d := range m.devices {
		if !m.running() || d.node == nil || d.node.bad() == 0 {
			continue
		}
		errno := d.node.bad()
		e := qapi.BlockIOErrorEvent{
			NodeName:  &d.node.name,
			Operation: qapi.IOOperationTypeRead,
			Action:    d.onReadError(errno),
			Reason:    reason(errno),
		}
		if m.since("9.2") {
			e.QOMPath = d.backend()
		}
		stop := e.Action == qapi.BlockErrorActionStop
		if stop {
			d.failed = true
			e.Nospace = new(errno == noSpace)
		}
		m.host.Emit(e)
		if stop {
			m.halt(qapi.RunStateIOError)
		}
	}
}

// onReadError returns what the device's property rerror asks for.
func (d *device) onReadError(errno int64) qapi.BlockErrorAction {
	switch d.props["rerror"] {
	case "stop":
		return qapi.BlockErrorActionStop
	case "ignore":
		return qapi.BlockErrorActionIgnore
	case "enospc":
		if errno == noSpace {
			return qapi.BlockErrorActionStop
		}
	}
	return qapi.BlockErrorActionReport
}

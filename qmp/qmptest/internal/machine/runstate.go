package machine

import (
	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) runCommands() map[string]Handler {
	return map[string]Handler{
		"query-status":          query(m, m.queryStatus),
		"cont":                  change(m, m.cont),
		"stop":                  change(m, m.stop),
		"system_reset":          change(m, m.reset),
		"system_powerdown":      change(m, m.powerdown),
		"system_wakeup":         change(m, m.wakeup),
		"quit":                  change(m, m.quit),
		"set-action":            change(m, m.setAction),
		"human-monitor-command": handle(m, m.humanMonitor),
		"query-name":            query(m, func() qapi.NameInfo { return qapi.NameInfo{} }),
		"query-uuid": query(m, func() qapi.UUIDInfo {
			return qapi.UUIDInfo{UUID: "00000000-0000-0000-0000-000000000000"}
		}),
		"query-kvm": query(m, func() qapi.KVMInfo { return qapi.KVMInfo{Present: true} }),
	}
}

func (m *Machine) running() bool { return m.status == qapi.RunStateRunning }

func (m *Machine) queryStatus() qapi.StatusInfo {
	return qapi.StatusInfo{Status: m.status, Running: m.running()}
}

// cont lets the machine run. If a bad disk is plugged in, the machine soon stops: the firmware reads from the
// disk.
func (m *Machine) cont(_ struct{}, req Request) error {
	if m.running() {
		return nil
	}
	if m.status == qapi.RunStateInmigrate {
		m.migration.starts = true
		return nil
	}
	if m.status == qapi.RunStateFinishMigrate {
		return generic("Migration is not finalized yet")
	}
	if m.status == qapi.RunStateShutdown {
		return generic("Resetting the Virtual Machine is required")
	}
	m.status, m.ran = qapi.RunStateRunning, true
	for _, d := range m.devices {
		d.failed = false
	}
	m.host.Emit(qapi.ResumeEvent{})
	m.after(req, m.firmwareReads)
	m.asksGuestAfter(req, m.balloonMoves)
	m.asksGuestAfter(req, m.memoryMoves)
	return nil
}

// stop does nothing to a machine that does not run: it stays in its state.
func (m *Machine) stop(struct{}, Request) error {
	m.migration.starts = false
	if m.running() {
		m.halt(qapi.RunStatePaused)
	}
	return nil
}

func (m *Machine) halt(status qapi.RunState) {
	m.status = status
	m.host.Emit(qapi.StopEvent{})
}

// reset brings a machine that does not run back to where it began.
func (m *Machine) reset(_ struct{}, req Request) error {
	if m.action.noReboot {
		m.shutDown(req, qapi.ShutdownEvent{Reason: qapi.ShutdownCauseHostQMPSystemReset})
		return nil
	}
	if !m.running() {
		m.status = qapi.RunStatePrelaunch
	}
	for _, d := range m.devices {
		d.trayOpen = false // without an event
	}
	m.emitEarly(req, qapi.ResetEvent{Reason: qapi.ShutdownCauseHostQMPSystemReset})
	m.after(req, m.release)
	return nil
}

// powerdown presses the power button. A guest that runs shuts down, and its QEMU
// ends.
func (m *Machine) powerdown(_ struct{}, req Request) error {
	m.emitEarly(req, qapi.PowerdownEvent{})
	m.after(req, func() {
		if m.running() {
			m.host.Emit(qapi.ShutdownEvent{Guest: true, Reason: qapi.ShutdownCauseGuestShutdown})
			m.isDown(m.exit)
		}
	})
	return nil
}

// shutDown shuts the machine down.
func (m *Machine) shutDown(req Request, e qapi.ShutdownEvent) {
	m.host.Emit(e)
	m.isDown(func() { m.after(req, m.exit) })
}

// isDown calls stop, which ends QEMU. If set-action has set shutdown to pause, it only stops the machine.
func (m *Machine) isDown(stop func()) {
	switch {
	case !m.action.stays:
		stop()
	case m.running():
		m.halt(qapi.RunStateShutdown)
	}
}

// setAction sets what happens when the guest shuts down or resets; its kernel does not
// crash here, and it has no watchdog.
func (m *Machine) setAction(args qapi.SetActionArgs, _ Request) error {
	if args.Shutdown != nil {
		m.action.stays = *args.Shutdown == qapi.ShutdownActionPause
	}
	if args.Reboot != nil {
		m.action.noReboot = *args.Reboot == qapi.RebootActionShutdown
	}
	return nil
}

// wakeup fails: the guest never falls asleep.
func (m *Machine) wakeup(struct{}, Request) error {
	return generic("Unable to wake up: guest is not in suspended state")
}

func (m *Machine) quit(_ struct{}, req Request) error {
	m.emitEarly(req, qapi.ShutdownEvent{Reason: qapi.ShutdownCauseHostQMPQuit})
	m.after(req, m.exit)
	return nil
}

// firstThread is the number of the first of QEMU's threads, which have one each.
const firstThread = 4242

func (m *Machine) newThread() int64 {
	m.made.threads++
	return firstThread + int64(m.made.threads)
}

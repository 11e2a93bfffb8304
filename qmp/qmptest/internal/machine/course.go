package machine

import (
	"cmp"

	"github.com/go-json-experiment/json"

	"github.com/goqapi/goqapi/qapi"
)

// A course is the progress of a migration: how much of the memory has been sent.
type course struct {
	sent, left int64 // bytes: sent in all passes; left in this pass
	dirty      int64 // bytes that have changed meanwhile
	passes     int64
	split      bool // the guest runs at the other side
}

func begin() course { return course{left: memory, passes: 1} }

// speed returns a limit of speed, in bytes per second; 0: there is none.
func (m *Machine) speed(parameter string) (n int64) {
	_ = json.Unmarshal(m.migration.params[parameter], &n) // parameters that are not valid have not been stored
	return n
}

// advanceMigration continues a migration: it sends all of the memory, or, if second is set, what can be sent in a second.
func (m *Machine) advanceMigration(plan plan, second bool) {
	g := &m.migration
	switch {
	case g.incoming:
		m.continueIncoming()
		return
	case g.status != qapi.MigrationStatusActive && g.status != qapi.MigrationStatusPostcopyActive:
		return
	case plan.fails != "":
		m.stopMigration(plan.fails)
		return
	case g.to != nil && g.to.ended.Load():
		m.stopMigration("Unable to write to socket: Broken pipe")
		return
	}
	if !m.send(plan.dirties, second) {
		return
	}
	if g.split {
		m.setMigration(qapi.MigrationStatusCompleted)
		m.status = qapi.RunStatePostmigrate
		if g.to != nil {
			g.to.completeIncoming()
		}
		return
	}
	if g.caps[qapi.MigrationCapabilityBackgroundSnapshot] { // the guest continues to run
		m.setMigration(qapi.MigrationStatusCompleted)
		return
	}
	if m.since("11.1") {
		m.emitMigration(qapi.MigrationPassEvent{Pass: g.passes + 1})
	}
	m.pauseForSwitchover()
	if g.caps[qapi.MigrationCapabilityPauseBeforeSwitchover] {
		m.setMigration(qapi.MigrationStatusPreSwitchover)
		return
	}
	if m.since("10.0") {
		m.setMigration(qapi.MigrationStatusDevice)
	}
	m.switchOver()
}

// send sends memory and reports whether the rest of it is so small that the guest can be stopped
// for it.
func (m *Machine) send(dirties int64, second bool) bool {
	g := &m.migration
	speed := m.speed("max-bandwidth")
	if g.split {
		speed = m.speed("max-postcopy-bandwidth")
	}
	n, dirty := int64(0), int64(0)
	switch {
	case speed == 0 || speed >= memory:
		n = g.left
	case second:
		n = min(speed, g.left)
		dirty = dirties
	}
	g.sent, g.left = g.sent+n, g.left-n
	if !g.split {
		g.dirty = min(g.dirty+dirty, memory)
	}
	if g.left > 0 {
		return false
	}
	if g.dirty*1000 > speed*m.speed("downtime-limit") {
		g.left, g.dirty = g.dirty, 0
		g.passes++
		m.emitMigration(qapi.MigrationPassEvent{Pass: g.passes})
		return false
	}
	g.sent, g.dirty = g.sent+g.dirty, 0
	return true
}

// pauseForSwitchover stops the guest before the last memory is sent.
func (m *Machine) pauseForSwitchover() {
	g := &m.migration
	g.before, g.wasRunning = m.status, m.running()
	if g.wasRunning {
		m.halt(qapi.RunStateFinishMigrate)
	}
	m.status = qapi.RunStateFinishMigrate
}

// stopMigration ends a migration that is on its way; one after the beginning of postcopy is
// interrupted.
func (m *Machine) stopMigration(why string) {
	g := &m.migration
	if g.fails == why {
		g.fails = ""
	}
	if g.split {
		m.interrupt(why)
		return
	}
	_ = m.failMigration(why) // no client waits for the result
	m.resumeGuest()
	if g.to != nil {
		g.to.incomingFails()
	}
}

// resumeGuest lets the guest run again after a migration that has failed or was cancelled.
func (m *Machine) resumeGuest() {
	if m.status != qapi.RunStateFinishMigrate {
		return
	}
	if m.status = m.migration.before; m.migration.wasRunning {
		m.host.Emit(qapi.ResumeEvent{})
	}
}

// switchOver lets the other machine continue.
func (m *Machine) switchOver() {
	if !m.since("11.1") {
		m.emitMigration(qapi.MigrationPassEvent{Pass: m.migration.passes + 1})
	}
	m.migration.passes++
	m.setMigration(qapi.MigrationStatusCompleted)
	m.status = qapi.RunStatePostmigrate
	if to := m.migration.to; to != nil {
		to.arrive(m.migration.before)
		to.completeIncoming()
	}
}

func (m *Machine) continueMigration(args qapi.MigrateContinueArgs, req Request) error {
	g := &m.migration
	if status := cmp.Or(g.status, qapi.MigrationStatusNone); args.State != status {
		return generic("Migration not in expected state: %s", status)
	}
	m.after(req, func() {
		if g.status == qapi.MigrationStatusPreSwitchover {
			m.setMigration(qapi.MigrationStatusDevice)
			m.switchOver()
		}
	})
	return nil
}

// cancelMigration gives up a migration. A guest that ran continues to run; the other QEMU ends. After
// the beginning of postcopy a newer QEMU refuses this, and with an older one the guest is lost.
func (m *Machine) cancelMigration(_ struct{}, req Request) error {
	g := &m.migration
	switch {
	case !m.leaving():
		return nil
	case g.split && m.since("10.0"):
		return generic("Postcopy migration in progress, cannot cancel.")
	}
	m.setMigration(qapi.MigrationStatusCancelling)
	m.after(req, func() {
		if g.status != qapi.MigrationStatusCancelling {
			return
		}
		m.setMigration(qapi.MigrationStatusCancelled)
		if g.split {
			m.status = qapi.RunStatePostmigrate
			if g.to != nil {
				g.to.pausePostcopy()
			}
			return
		}
		if m.status == qapi.RunStateFinishMigrate && m.since("10.0") {
			g.why = "Switchover is interrupted"
		}
		m.resumeGuest()
		if g.to != nil {
			g.to.incomingFails()
		}
	})
	return nil
}

func (m *Machine) queryMigrate(_ struct{}, req Request) (any, error) {
	g := &m.migration
	info := qapi.MigrationInfo{}
	plan := g.plan
	m.after(req, func() { m.advanceMigration(plan, true) })
	if g.status == "" {
		return info, nil
	}
	info.Status = new(g.status)
	if g.why != "" && (m.since("10.0") || final(g.status)) {
		info.ErrorDesc = &g.why
	}
	switch {
	case g.incoming:
		m.showIncoming(&info)
	case !g.arrived:
		m.showOutgoing(&info)
	}
	return info, nil
}

// final reports whether a migration is over.
func final(s qapi.MigrationStatus) bool {
	switch s {
	case "", qapi.MigrationStatusCompleted, qapi.MigrationStatusFailed, qapi.MigrationStatusCancelled:
		return true
	}
	return false
}

// showOutgoing shows the progress of a migration from this machine.
func (m *Machine) showOutgoing(info *qapi.MigrationInfo) {
	g := &m.migration
	switch g.status {
	case qapi.MigrationStatusSetup:
		info.TotalTime = new(int64(0))
	case qapi.MigrationStatusCompleted:
		info.Downtime = new(int64(1))
		m.progress(info)
	case qapi.MigrationStatusActive, qapi.MigrationStatusPreSwitchover, qapi.MigrationStatusDevice,
		qapi.MigrationStatusPostcopyActive, qapi.MigrationStatusPostcopyPaused, qapi.MigrationStatusPostcopyRecover:
		if g.split && m.since("10.0") {
			info.Downtime = new(int64(1))
		} else {
			info.ExpectedDowntime = new(m.speed("downtime-limit"))
		}
		if m.since("11.1") {
			info.Remaining = new(g.left)
		}
		m.progress(info)
	}
}

func (m *Machine) progress(info *qapi.MigrationInfo) {
	g := &m.migration
	info.TotalTime, info.SetupTime = new(int64(10)), new(int64(1))
	info.RAM = &qapi.MigrationRAMStats{
		Transferred: g.sent, Remaining: g.left, Total: memory, PageSize: 4096, DirtySyncCount: g.passes,
		Normal: g.sent / 4096, NormalBytes: g.sent, Mbps: float64(m.speed("max-bandwidth")) * 8 / 1e6,
	}
	if m.since("7.2") {
		info.RAM.PrecopyBytes = uint64(g.sent)
	}
}

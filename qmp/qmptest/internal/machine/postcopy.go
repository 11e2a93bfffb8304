package machine

import "github.com/goqapi/goqapi/qapi"

// startPostcopy continues the guest at the other side, before the rest of its memory is there.
func (m *Machine) startPostcopy(_ struct{}, req Request) error {
	g := &m.migration
	switch {
	case !g.caps[qapi.MigrationCapabilityPostcopyRAM]:
		return generic("Enable postcopy before the start of migration")
	case g.status == "" || g.incoming:
		return generic("Start a migration before switching to postcopy")
	}
	plan := g.plan
	m.after(req, func() {
		if g.status != qapi.MigrationStatusActive {
			return
		}
		m.pauseForSwitchover()
		if m.since("10.0") {
			m.setMigration(qapi.MigrationStatusDevice)
		}
		g.split = true
		g.left, g.dirty = min(g.left+g.dirty, memory), 0
		m.setMigration(qapi.MigrationStatusPostcopyActive)
		if g.to != nil {
			g.to.setPostcopy(qapi.MigrationStatusPostcopyActive)
			g.to.arrive(g.before)
		}
		m.advanceMigration(plan, false)
	})
	return nil
}

// setPostcopy sets how far a migration to this machine is.
func (m *Machine) setPostcopy(status qapi.MigrationStatus) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.setMigration(status)
}

// pausePostcopy lets the machine notice that the connection is lost.
func (m *Machine) pausePostcopy() { m.setPostcopy(qapi.MigrationStatusPostcopyPaused) }

// interrupt loses the connection to the machine that has the guest.
func (m *Machine) interrupt(why string) {
	m.migration.why = why
	m.setMigration(qapi.MigrationStatusPostcopyPaused)
	if to := m.migration.to; to != nil && !to.ended.Load() {
		to.pausePostcopy()
	}
}

// pauseMigration loses the connection, from either side.
func (m *Machine) pauseMigration(_ struct{}, req Request) error {
	g := &m.migration
	if g.status != qapi.MigrationStatusPostcopyActive {
		return generic("migrate-pause is currently only supported during postcopy-active or postcopy-recover state")
	}
	why := ""
	if m.since("11.1") {
		why = "Postcopy migration is paused by the user"
	}
	if !g.incoming {
		m.interrupt(why)
		return nil
	}
	m.setMigration(qapi.MigrationStatusPostcopyPaused)
	from := g.from
	req.After(func() { // it must not wait for us
		from.mu.Lock()
		defer from.mu.Unlock()
		from.interrupt("Channel error: Input/output error")
	})
	return nil
}

// recoverMigration lets the machine that has the guest wait again for the rest of the memory.
func (m *Machine) recoverMigration(args qapi.MigrateRecoverArgs, _ Request) error {
	g := &m.migration
	if !g.incoming || g.status != qapi.MigrationStatusPostcopyPaused {
		return generic("Migrate recover can only be run when postcopy is paused.")
	}
	if waitsAnywhere(m) && !m.since("6.0") {
		return generic("Migrate recovery is triggered already")
	}
	leave(m)
	at, ok := listen(args.URI, m)
	if !ok {
		return generic("Failed to bind socket: Address already in use")
	}
	g.at = at
	return nil
}

// resumeMigration continues a migration that was interrupted.
func (m *Machine) resumeMigration(uri string, req Request) error {
	g := &m.migration
	if g.incoming || g.status != qapi.MigrationStatusPostcopyPaused {
		return generic("Cannot resume if there is no paused migration")
	}
	if m.since("10.0") {
		m.setMigration(qapi.MigrationStatusPostcopyRecoverSetup)
	}
	plan := g.plan
	m.after(req, func() {
		to := waiting(uri)
		if to == nil || to != g.to {
			if m.since("10.0") { // an older one says nothing
				m.interruptAgain("Failed to connect to '" + uri + "': No such file or directory")
			}
			return
		}
		leave(to)
		g.why = ""
		for _, status := range []qapi.MigrationStatus{qapi.MigrationStatusPostcopyRecover, qapi.MigrationStatusPostcopyActive} {
			m.setMigration(status)
			to.setPostcopy(status)
		}
		m.advanceMigration(plan, false)
	})
	return nil
}

func (m *Machine) interruptAgain(why string) {
	m.migration.why = why
	m.setMigration(qapi.MigrationStatusPostcopyPaused)
}

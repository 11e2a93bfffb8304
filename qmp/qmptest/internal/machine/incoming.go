package machine

import (
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) migrateIncoming(args migrateArgs, _ Request) error {
	uri, err := m.address(args)
	g := &m.migration
	switch {
	case err != nil:
		return err
	case !g.incoming:
		return generic("'-incoming' was not specified on the command line")
	case g.at != "":
		return generic("The incoming migration has already been started")
	case !m.knownTransport(uri):
		return generic("unknown migration protocol: %s", uri)
	case g.status != "":
		return generic("Illegal migration incoming state: %s", g.status)
	}
	at, ok := listen(uri, m)
	if !ok {
		if m.since("10.0") {
			m.setMigration(qapi.MigrationStatusSetup)
		}
		return generic("Failed to bind socket: Address already in use")
	}
	g.at, g.stays = at, !valueOr(args.ExitOnError, true)
	m.setMigration(qapi.MigrationStatusSetup)
	return nil
}

// expect begins an incoming migration from another machine. The caller holds the lock of the other
// machine.
func (m *Machine) expect(from *Machine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	leave(m)
	m.migration.from = from
	m.setMigration(qapi.MigrationStatusActive)
}

// arrive continues the machine that has migrated here. At the other side it was in the given
// state.
func (m *Machine) arrive(state qapi.RunState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status = state
	if state == qapi.RunStateRunning {
		if m.status = qapi.RunStatePaused; m.migration.starts {
			m.status = qapi.RunStateRunning
			m.host.Emit(qapi.ResumeEvent{})
		}
	}
}

// completeIncoming completes an incoming migration: all of the machine has arrived.
func (m *Machine) completeIncoming() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.setMigration(qapi.MigrationStatusCompleted)
	m.migration.incoming, m.migration.arrived = false, true
}

// incomingFails fails an incoming migration that cannot complete any more. This ends the machine, unless
// the client has set exit-on-error to false.
func (m *Machine) incomingFails() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failIncoming()
}

func (m *Machine) failIncoming() {
	leave(m)
	m.setMigration(qapi.MigrationStatusFailed)
	if m.migration.stays {
		m.migration.why = "load of migration failed: Input/output error"
		return
	}
	m.exit()
}

// continueIncoming fails an incoming migration, or interrupts it, if the other machine has ended.
func (m *Machine) continueIncoming() {
	g := &m.migration
	if g.from == nil || !g.from.ended.Load() {
		return
	}
	switch g.status {
	case qapi.MigrationStatusActive:
		m.failIncoming()
	case qapi.MigrationStatusPostcopyActive:
		m.setMigration(qapi.MigrationStatusPostcopyPaused)
	}
}

// showIncoming shows the progress of a migration to this machine.
func (m *Machine) showIncoming(info *qapi.MigrationInfo) {
	if !final(*info.Status) {
		info.SocketAddress = socketAddress(m.migration.at)
	}
	if *info.Status == qapi.MigrationStatusSetup && !m.since("10.0") {
		info.Status = nil
	}
}

// socketAddress returns the address at which the machine waits for a migration.
func socketAddress(uri string) []qapi.SocketAddress {
	kind, where, _ := strings.Cut(uri, ":")
	i := strings.LastIndex(where, ":")
	switch {
	case kind == "unix":
		return []qapi.SocketAddress{{Type: qapi.SocketAddressUnix{Path: where}}}
	case kind == "tcp" && i >= 0:
		return []qapi.SocketAddress{{Type: qapi.SocketAddressInet{Host: where[:i], Port: where[i+1:]}}}
	}
	return nil
}

package machine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// A migration is how far the machine is on its way, or its way in.
//
// One that takes no second at its limit of speed has arrived right after the reply of
// the command that has started it. Of another each query-migrate is a second later than
// the last. It arrives at the machine that waits at its address, or, if there is none,
// somewhere out of sight.
type migration struct {
	status     qapi.MigrationStatus // "": there has been none
	why        string               // it has failed
	sent       int64                // bytes
	to         *Machine             // nil: nobody here
	wasRunning bool
	before     qapi.RunState

	incoming bool   // the machine waits for one
	at       string // where it listens; "": nowhere yet
	starts   bool   // it is to run afterwards

	caps   map[qapi.MigrationCapability]bool
	params map[string]jsontext.Value
}

func (m *Machine) migrationCommands() map[string]Handler {
	return map[string]Handler{
		"migrate":                    change(m, m.migrate),
		"migrate_cancel":             change(m, m.cancelMigration),
		"migrate-continue":           change(m, m.continueMigration),
		"migrate-incoming":           change(m, m.migrateIncoming),
		"migrate-pause":              change(m, func(struct{}, Request) error { return generic("migrate-pause is only for postcopy") }),
		"migrate-start-postcopy":     change(m, func(struct{}, Request) error { return generic("Enable postcopy before the start of migration") }),
		"query-migrate":              handle(m, m.queryMigrate),
		"query-migrate-capabilities": query(m, m.queryCapabilities),
		"migrate-set-capabilities":   change(m, m.setCapabilities),
		"query-migrate-parameters":   query(m, func() any { return m.migration.params }),
		"migrate-set-parameters":     change(m, m.setParameters),
	}
}

// AwaitMigration makes the machine one that was started with -incoming defer.
func (m *Machine) AwaitMigration() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status, m.migration.incoming = qapi.RunStateInmigrate, true
}

// leaving reports whether the machine is being migrated.
func (m *Machine) leaving() bool {
	switch m.migration.status {
	case "", qapi.MigrationStatusCompleted, qapi.MigrationStatusFailed, qapi.MigrationStatusCancelled:
		return false
	}
	return !m.migration.incoming
}

func (m *Machine) setMigration(status qapi.MigrationStatus) {
	m.migration.status = status
	m.tellMigration(qapi.MigrationEvent{Status: status})
}

// tellMigration sends an event that has to be asked for.
func (m *Machine) tellMigration(e qapi.Event) {
	if m.migration.caps[qapi.MigrationCapabilityEvents] {
		m.host.Emit(e)
	}
}

// migrateArgs are the arguments of migrate and migrate-incoming.
type migrateArgs struct {
	URI      *string                 `json:"uri"`
	Channels []qapi.MigrationChannel `json:"channels"`
}

// address is where a migration goes to or comes from, as a URI.
func (m *Machine) address(args migrateArgs) (string, error) {
	if args.URI != nil && args.Channels != nil {
		return "", generic("'uri' and 'channels' arguments are mutually exclusive")
	}
	if args.URI != nil {
		return *args.URI, nil
	}
	for _, c := range args.Channels {
		if c.ChannelType == qapi.MigrationChannelTypeMain {
			return uriOf(c.Addr), nil
		}
	}
	return "", generic("need either 'uri' or 'channels' argument")
}

func uriOf(addr qapi.MigrationAddress) string {
	switch t := addr.Transport.(type) {
	case qapi.MigrationAddressExec:
		return "exec:" + strings.Join(t.Args, " ")
	case qapi.MigrationAddressFile:
		return "file:" + t.Filename
	case qapi.MigrationAddressSocket:
		switch a := t.Type.(type) {
		case qapi.SocketAddressInet:
			return "tcp:" + a.Host + ":" + a.Port
		case qapi.SocketAddressUnix:
			return "unix:" + a.Path
		case qapi.SocketAddressFD:
			return "fd:" + a.Str
		}
	}
	return string(addr.Transport.MigrationAddressType()) + ":"
}

// transports are the ways that a migration can take.
var transports = []string{"exec", "fd", "rdma", "tcp", "unix", "vsock"}

func (m *Machine) knownTransport(uri string) bool {
	kind, _, ok := strings.Cut(uri, ":")
	return ok && (slices.Contains(transports, kind) || kind == "file" && m.since("10.0"))
}

func (m *Machine) migrate(args migrateArgs, req Request) error {
	uri, err := m.address(args)
	switch {
	case err != nil:
		return err
	case m.leaving():
		return generic("There's a migration process in progress")
	case m.status == qapi.RunStateInmigrate:
		return generic("Guest is waiting for an incoming migration")
	case m.status == qapi.RunStatePostmigrate && m.since("7.2"):
		return generic("Can't migrate the vm that was paused due to previous migration")
	case !m.knownTransport(uri) && m.since("10.0"):
		return generic("unknown migration protocol: %s", uri)
	}
	g := &m.migration
	g.why, g.sent, g.to = "", 0, nil
	m.setMigration(qapi.MigrationStatusSetup)
	fd, isFile := strings.CutPrefix(uri, "fd:")
	switch {
	case !m.knownTransport(uri):
		err := m.failMigration("Parameter 'uri' expects a valid migration protocol")
		g.why = "" // only the one who asked is told
		return err
	case isFile && m.files[fd] == nil:
		return m.failMigration(fmt.Sprintf("File descriptor named '%s' has not been found", fd))
	}
	g.to = waiting(uri)
	m.after(req, func() {
		if g.status != qapi.MigrationStatusSetup {
			return
		}
		if !m.since("11.1") {
			m.tellMigration(qapi.MigrationPassEvent{Pass: 1})
		}
		m.setMigration(qapi.MigrationStatusActive)
		m.migrateOn(false)
	})
	return nil
}

// failMigration ends a migration that cannot begin.
func (m *Machine) failMigration(why string) error {
	m.migration.why = why
	if m.since("11.1") {
		m.setMigration(qapi.MigrationStatusFailing)
	}
	m.setMigration(qapi.MigrationStatusFailed)
	return generic("%s", why)
}

// speed is the limit of a migration, in bytes per second; 0: there is none.
func (m *Machine) speed() (n int64) {
	_ = json.Unmarshal(m.migration.params["max-bandwidth"], &n) // what cannot be is not kept
	return n
}

// migrateOn sends all of the memory, or as much as in a second.
func (m *Machine) migrateOn(second bool) {
	g := &m.migration
	if g.incoming || g.status != qapi.MigrationStatusActive {
		return
	}
	switch speed := m.speed(); {
	case speed == 0 || speed >= memory:
		g.sent = memory
	case second:
		g.sent = min(g.sent+speed, memory)
	}
	if g.sent < memory {
		return
	}
	if g.caps[qapi.MigrationCapabilityBackgroundSnapshot] { // the guest runs on
		m.setMigration(qapi.MigrationStatusCompleted)
		return
	}
	if m.since("11.1") {
		m.tellMigration(qapi.MigrationPassEvent{Pass: 2})
	}
	g.before, g.wasRunning = m.status, m.running()
	if g.wasRunning {
		m.halt(qapi.RunStateFinishMigrate)
	}
	m.status = qapi.RunStateFinishMigrate
	if g.caps[qapi.MigrationCapabilityPauseBeforeSwitchover] {
		m.setMigration(qapi.MigrationStatusPreSwitchover)
		return
	}
	if m.since("10.0") {
		m.setMigration(qapi.MigrationStatusDevice)
	}
	m.switchOver()
}

// switchOver lets the other machine go on.
func (m *Machine) switchOver() {
	if !m.since("11.1") {
		m.tellMigration(qapi.MigrationPassEvent{Pass: 2})
	}
	m.setMigration(qapi.MigrationStatusCompleted)
	m.status = qapi.RunStatePostmigrate
	if to := m.migration.to; to != nil {
		to.arrive(m.migration.before)
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

// cancelMigration gives a migration up. The guest runs on, if it did; the other QEMU ends.
func (m *Machine) cancelMigration(_ struct{}, req Request) error {
	if !m.leaving() {
		return nil
	}
	g := &m.migration
	m.setMigration(qapi.MigrationStatusCancelling)
	m.after(req, func() {
		if g.status != qapi.MigrationStatusCancelling {
			return
		}
		m.setMigration(qapi.MigrationStatusCancelled)
		if m.status == qapi.RunStateFinishMigrate {
			if m.since("10.0") {
				g.why = "Switchover is interrupted"
			}
			if m.status = g.before; g.wasRunning {
				m.host.Emit(qapi.ResumeEvent{})
			}
		}
		if g.to != nil {
			g.to.abandoned()
		}
	})
	return nil
}

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
	case !listen(uri, m):
		return generic("Failed to bind socket: Address already in use")
	}
	g.at = uri
	m.setMigration(qapi.MigrationStatusSetup)
	return nil
}

// arrive lets the machine go on as one that has migrated here; that one was in the given
// state. The other machine has itself to itself.
func (m *Machine) arrive(state qapi.RunState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	leave(m)
	m.setMigration(qapi.MigrationStatusActive)
	m.status = state
	if state == qapi.RunStateRunning {
		if m.status = qapi.RunStatePaused; m.migration.starts {
			m.status = qapi.RunStateRunning
			m.host.Emit(qapi.ResumeEvent{})
		}
	}
	m.setMigration(qapi.MigrationStatusCompleted)
}

// abandoned ends a machine that waits for one that does not come any more.
func (m *Machine) abandoned() {
	m.mu.Lock()
	defer m.mu.Unlock()
	leave(m)
	m.setMigration(qapi.MigrationStatusFailed)
	m.host.Stop()
}

func (m *Machine) queryMigrate(_ struct{}, req Request) (any, error) {
	g := &m.migration
	info := qapi.MigrationInfo{}
	m.after(req, func() { m.migrateOn(true) })
	if g.status == "" {
		return info, nil
	}
	info.Status = new(g.status)
	if g.incoming {
		if g.status == qapi.MigrationStatusSetup {
			info.SocketAddress = socketAddress(g.at)
			if !m.since("10.0") {
				info.Status = nil
			}
		}
		return info, nil
	}
	switch g.status {
	case qapi.MigrationStatusFailed, qapi.MigrationStatusFailing, qapi.MigrationStatusCancelled:
		if g.why != "" {
			info.ErrorDesc = &g.why
		}
	case qapi.MigrationStatusSetup:
		info.TotalTime = new(int64(0))
	case qapi.MigrationStatusActive, qapi.MigrationStatusPreSwitchover, qapi.MigrationStatusDevice:
		info.ExpectedDowntime = new(int64(300))
		if m.since("11.1") {
			info.Remaining = new(memory - g.sent)
		}
		m.progress(&info)
	case qapi.MigrationStatusCompleted:
		info.Downtime = new(int64(1))
		m.progress(&info)
	}
	return info, nil
}

func (m *Machine) progress(info *qapi.MigrationInfo) {
	sent := m.migration.sent
	info.TotalTime, info.SetupTime = new(int64(10)), new(int64(1))
	info.RAM = &qapi.MigrationRAMStats{
		Transferred: sent, Remaining: memory - sent, Total: memory, PageSize: 4096, DirtySyncCount: 1,
		Normal: sent / 4096, NormalBytes: sent, Mbps: float64(m.speed()) * 8 / 1e6,
	}
	if sent == memory {
		info.RAM.DirtySyncCount = 2
	}
	if m.since("7.2") {
		info.RAM.PrecopyBytes = uint64(sent)
	}
}

// socketAddress is where a migration is waited for.
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

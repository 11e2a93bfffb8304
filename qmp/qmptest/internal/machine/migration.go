package machine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// A migration is the state of the machine's migration, outgoing or incoming.
//
// If it takes less than a second at its limit of speed, it has arrived right after the reply to
// the command that has started it. Otherwise a second passes with each query-migrate, in which
// the guest may change memory again. It arrives at the machine that waits at its address; if
// none does, it arrives, too, but nothing can be seen there. If the other machine ends, this is
// also noticed at the next query-migrate.
type migration struct {
	status qapi.MigrationStatus // "": there has been none
	why    string               // why it has failed
	course
	to         *Machine // the machine it goes to; nil: that is not a machine of this program
	wasRunning bool
	before     qapi.RunState

	incoming bool     // the machine waits for one
	at       string   // where it listens; "": nowhere yet
	starts   bool     // the machine runs after it has arrived
	stays    bool     // the machine does not exit if the incoming migration fails
	from     *Machine // the machine that is migrating to this one
	arrived  bool     // the last migration was an incoming one, and has completed

	caps   map[qapi.MigrationCapability]bool
	params map[string]jsontext.Value

	plan
}

// A plan is what a test has set for a migration. A command uses the plan of the time when it came,
// since its work goes on after its reply, when the test may have set another plan.
type plan struct {
	fails   string // the reason for which the migration must fail; "": it does not fail
	dirties int64  // how many bytes the guest changes each second
}

func (m *Machine) migrationCommands() map[string]Handler {
	return map[string]Handler{
		"migrate":                    change(m, m.migrate),
		"migrate_cancel":             change(m, m.cancelMigration),
		"migrate-continue":           change(m, m.continueMigration),
		"migrate-incoming":           change(m, m.migrateIncoming),
		"migrate-pause":              change(m, m.pauseMigration),
		"migrate-recover":            change(m, m.recoverMigration),
		"migrate-start-postcopy":     change(m, m.startPostcopy),
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

// FailMigration makes the migration that is running, or otherwise the next one, fail for a reason.
func (m *Machine) FailMigration(why string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.migration.fails = why
}

// DirtyMemory has the guest change so many bytes of its memory each second.
func (m *Machine) DirtyMemory(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.migration.dirties = bytes
}

// leaving reports whether the machine is being migrated.
func (m *Machine) leaving() bool {
	return !m.migration.incoming && !m.migration.arrived && !final(m.migration.status)
}

func (m *Machine) setMigration(status qapi.MigrationStatus) {
	m.migration.status = status
	m.emitMigration(qapi.MigrationEvent{Status: status})
}

// emitMigration sends an event, if the client has asked for such events with a capability.
func (m *Machine) emitMigration(e qapi.Event) {
	if m.migration.caps[qapi.MigrationCapabilityEvents] {
		m.host.Emit(e)
	}
}

// migrateArgs are the arguments of migrate and migrate-incoming.
type migrateArgs struct {
	URI      *string                 `json:"uri"`
	Channels []qapi.MigrationChannel `json:"channels"`

	Resume      bool  `json:"resume"`
	ExitOnError *bool `json:"exit-on-error"`
}

// address returns where a migration goes to or comes from, as a URI.
func (m *Machine) address(args migrateArgs) (string, error) {
	if args.URI != nil && args.Channels != nil {
		return "", generic("'uri' and 'channels' arguments are mutually exclusive")
	}
	if args.URI != nil {
		return *args.URI, nil
	}
	var main []string
	for _, c := range args.Channels {
		if c.ChannelType == qapi.MigrationChannelTypeMain {
			main = append(main, uriOf(c.Addr))
		}
	}
	switch len(main) {
	case 0:
		return "", generic("need either 'uri' or 'channels' argument")
	case 1:
		return main[0], nil
	}
	return "", generic("Channel list has more than one main entry")
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
	case args.Resume:
		return m.resumeMigration(uri, req)
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
	g.why, g.course, g.to, g.arrived = "", begin(), nil, false
	m.setMigration(qapi.MigrationStatusSetup)
	fd, isFile := strings.CutPrefix(uri, "fd:")
	switch {
	case !m.knownTransport(uri):
		err := m.failMigration("Parameter 'uri' expects a valid migration protocol")
		g.why = "" // only the client that asked for it gets the reason
		return err
	case isFile && m.files[fd] == nil:
		return m.failMigration(fmt.Sprintf("File descriptor named '%s' has not been found", fd))
	}
	g.to = waiting(uri)
	plan := g.plan
	m.after(req, func() {
		if g.status != qapi.MigrationStatusSetup {
			return
		}
		if !m.since("11.1") {
			m.emitMigration(qapi.MigrationPassEvent{Pass: 1})
		}
		m.setMigration(qapi.MigrationStatusActive)
		if g.to != nil {
			g.to.expect(m)
		}
		m.advanceMigration(plan, false)
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

package migration

import (
	"context"
	"reflect"
	"time"

	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
)

// An Option says how to migrate.
type Option func(*options)

type options struct {
	capabilities map[qapi.MigrationCapability]bool
	parameters   qapi.MigrationParameters
	progress     func(Progress)
	switchover   func(context.Context) error
	postcopy     bool
	passes       int64 // before postcopy
	leave        bool
	limit        time.Duration
	host         string
	sides        [2][]Option // of Move: what holds at the source, and at the destination only
}

const (
	atSource = iota
	atDestination
)

func newOptions(opts []Option) options {
	o := options{capabilities: map[qapi.MigrationCapability]bool{}, limit: undo.DefaultLimit}
	for _, opt := range opts {
		opt(&o)
	}
	if o.limit <= 0 {
		o.limit = undo.DefaultLimit
	}
	return o
}

// Enable turns capabilities on for this migration. Most must be the same on both sides.
func Enable(caps ...qapi.MigrationCapability) Option { return set(caps, true) }

// Disable turns capabilities off for this migration.
func Disable(caps ...qapi.MigrationCapability) Option { return set(caps, false) }

func set(caps []qapi.MigrationCapability, on bool) Option {
	return func(o *options) {
		for _, c := range caps {
			o.capabilities[c] = on
		}
	}
}

// Parameters sets those parameters that are set in p, for this migration. Given more than once,
// the later one decides what both set.
func Parameters(p qapi.MigrationParameters) Option {
	return func(o *options) {
		from, to := reflect.ValueOf(p), reflect.ValueOf(&o.parameters).Elem()
		for i := range from.NumField() {
			if !from.Field(i).IsZero() {
				to.Field(i).Set(from.Field(i))
			}
		}
	}
}

// Multifd sends memory over so many connections beside the main one. Both sides need it, with
// the same number.
func Multifd(connections int) Option {
	return func(o *options) {
		Enable(qapi.MigrationCapabilityMultifd)(o)
		Parameters(qapi.MigrationParameters{MultifdChannels: new(uint8(min(max(connections, 0), 255)))})(o)
	}
}

// TLS encrypts the migration with the credentials that object-add has created under the id
// creds: on a source those of a client, on a destination those of a server. hostname is what
// the certificate of the destination must be made out to, where that is not the host that
// the source connects to; a destination has no use for it.
func TLS(creds, hostname string) Option {
	p := qapi.MigrationParameters{TLSCreds: qapi.Str(creds)}
	if hostname != "" {
		p.TLSHostname = qapi.Str(hostname)
	}
	return Parameters(p)
}

// Postcopy has the guest go on at the destination after so many passes over its memory, 0 or
// more, if it has not done so by then; what is missing there follows. A guest that changes
// memory faster than it can be sent is migrated all the same, but from then on
// neither side has it whole: what fails is not undone, but interrupted ([Recover]).
// [qapi.Client.MigrateStartPostcopy] does the same at any time. Both sides need this option.
func Postcopy(passes int) Option {
	return func(o *options) {
		o.postcopy, o.passes = true, int64(passes)
		Enable(qapi.MigrationCapabilityPostcopyRAM)(o)
	}
}

// BeforeSwitchover has f called when the guest stands still at the source, before it may go on at
// the destination: the time to end what follows its disks. If f fails, the migration is
// cancelled. The guest waits meanwhile. Without this option a migration with the capability
// pause-before-switchover waits for somebody else's [qapi.Client.MigrateContinue].
func BeforeSwitchover(f func(context.Context) error) Option {
	return func(o *options) {
		o.switchover = f
		Enable(qapi.MigrationCapabilityPauseBeforeSwitchover)(o)
	}
}

// OnProgress has f called with how far the migration is: whenever its status changes, and
// otherwise at intervals up to a second. It is called by the goroutine that waits, which goes on
// when f has returned.
func OnProgress(f func(Progress)) Option { return func(o *options) { o.progress = f } }

// Leave has the migration go on when ctx ends, which otherwise cancels it; [Attach] then waits
// for it, from another program if need be. What was set for it stays set. After a [Move] the
// machine is paused when it has arrived.
func Leave() Option { return func(o *options) { o.leave = true } }

// Limit is how long undoing may take, 10 s without this option: cancelling, awaiting that, and
// putting back what was set. It also bounds other waits for what QEMU does at once as a rule.
func Limit(d time.Duration) Option { return func(o *options) { o.limit = d } }

// Host is the host that the source of a [Move] connects to, where that is not the one that
// the destination listens at, such as 0.0.0.0.
func Host(name string) Option { return func(o *options) { o.host = name } }

// AtSource has options hold for the source of a [Move] only.
func AtSource(opts ...Option) Option { return side(atSource, opts) }

// AtDestination has options hold for the destination of a [Move] only, such as [TLS] with
// credentials that have another id there.
func AtDestination(opts ...Option) Option { return side(atDestination, opts) }

func side(i int, opts []Option) Option {
	return func(o *options) { o.sides[i] = append(o.sides[i], opts...) }
}

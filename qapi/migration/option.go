package migration

import (
	"context"
	"reflect"
	"time"

	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
)

// An Option changes how a machine is migrated.
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
	sides        [2][]Option // options for Move that apply only to the source, and only to the destination
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

// Parameters sets, for this migration, the parameters that are set in p. If the option is given more than once,
// the later value of a parameter counts.
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

// Multifd sends memory over this many connections in addition to the main one. Both sides need the option, with
// the same number.
func Multifd(connections int) Option {
	return func(o *options) {
		Enable(qapi.MigrationCapabilityMultifd)(o)
		Parameters(qapi.MigrationParameters{MultifdChannels: new(uint8(min(max(connections, 0), 255)))})(o)
	}
}

// TLS encrypts the migration. creds is the id of credentials that were created with object-add: on
// a source those of a client, on a destination those of a server. hostname is the name in
// the certificate of the destination, if that differs from the host that
// the source connects to; a destination ignores it.
func TLS(creds, hostname string) Option {
	p := qapi.MigrationParameters{TLSCreds: qapi.Str(creds)}
	if hostname != "" {
		p.TLSHostname = qapi.Str(hostname)
	}
	return Parameters(p)
}

// Postcopy lets the guest continue at the destination after this number of passes through its memory (0 or
// more), if the migration has not ended by then; the rest of the memory follows. In this way even a guest
// that changes memory faster than it can be sent is migrated. But from that moment on neither side has the
// whole guest: a failure cannot be undone; it interrupts the migration (see [Recover]).
// [qapi.Client.MigrateStartPostcopy] does the same at any time. Both sides need this option.
func Postcopy(passes int) Option {
	return func(o *options) {
		o.postcopy, o.passes = true, int64(passes)
		Enable(qapi.MigrationCapabilityPostcopyRAM)(o)
	}
}

// BeforeSwitchover sets a function that is called when the guest has stopped at the source, before it continues at
// the destination: the moment to end a mirror of its disks, for example. The guest waits until f returns. If f
// fails, the migration is cancelled. Without this option a migration with the capability
// pause-before-switchover waits until somebody calls [qapi.Client.MigrateContinue].
func BeforeSwitchover(f func(context.Context) error) Option {
	return func(o *options) {
		o.switchover = f
		Enable(qapi.MigrationCapabilityPauseBeforeSwitchover)(o)
	}
}

// OnProgress sets a function that is called with the progress of the migration: whenever its status changes, and
// otherwise at growing intervals of up to a second. The goroutine that waits calls it, and continues
// when f has returned.
func OnProgress(f func(Progress)) Option { return func(o *options) { o.progress = f } }

// Leave lets the migration continue when ctx ends. Without this option, the migration is cancelled. [Attach]
// can wait for one that continues, also in another program. Capabilities and parameters are not reset. A
// machine that [Move] was moving is paused when it arrives.
func Leave() Option { return func(o *options) { o.leave = true } }

// Limit sets how long undoing may take: cancelling, waiting for the end, and
// resetting what was set. It also limits waits for what QEMU usually does at once. Without this option, the limit
// is 10 s.
func Limit(d time.Duration) Option { return func(o *options) { o.limit = d } }

// Host sets the host that the source of a [Move] connects to, if that differs from the one at which
// the destination listens, for example 0.0.0.0.
func Host(name string) Option { return func(o *options) { o.host = name } }

// AtSource applies options only to the source of a [Move].
func AtSource(opts ...Option) Option { return side(atSource, opts) }

// AtDestination applies options only to the destination of a [Move], for example [TLS] with
// credentials that have another id there.
func AtDestination(opts ...Option) Option { return side(atDestination, opts) }

func side(i int, opts []Option) Option {
	return func(o *options) { o.sides[i] = append(o.sides[i], opts...) }
}

package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/migration"
)

// typeBackground is the Type in the [Error] of a background snapshot, which QEMU calls a migration.
const typeBackground qapi.JobType = "background snapshot"

// BackgroundSnapshot saves the state of the machine as it is at the start, memory included, while the guest
// keeps running. The state goes to an address, as in a migration, such as [migration.File] or
// [migration.Exec], and a QEMU that is started with -incoming loads it. It does not include the disks: to
// save the disks as well, pause the machine, start to save both, and then let the machine run again.
//
// For QEMU it is a migration with the capability background-snapshot, which is set for you and
// reset afterwards. When ctx ends, it is cancelled. The error wraps [errors.ErrUnsupported] on a
// QEMU before 6.0. A host without userfaultfd makes QEMU refuse it.
func BackgroundSnapshot(ctx context.Context, c *qapi.Client, to migration.Address, opts ...Option) (migration.Stats, error) {
	o := newOptions(opts)
	how := []migration.Option{
		migration.Enable(qapi.MigrationCapabilityBackgroundSnapshot), migration.Limit(o.limit),
	}
	if o.progress != nil {
		how = append(how, migration.OnProgress(func(p migration.Progress) {
			o.progress(Progress{Done: p.Done, Total: p.Total, Percent: p.Percent, Rate: p.Rate, Left: p.Left})
		}))
	}
	stats, err := migration.Run(ctx, c, to, how...)
	failed, ok := errors.AsType[*migration.Error](err)
	switch {
	case err == nil:
		return stats, nil
	case !ok:
		return stats, fmt.Errorf("job: %s: %w", typeBackground, err)
	}
	e := &Error{Type: typeBackground, Reason: failed.Reason, Cancelled: failed.Cancelled, Cause: failed.Cause}
	if e.Cancelled {
		e.Reason = cancelled
	}
	e.Reason = cmp.Or(e.Reason, "it has failed; QEMU does not say why")
	if left := err.Error(); left != failed.Error() {
		return stats, fmt.Errorf("%w; %s", e, left)
	}
	return stats, e
}

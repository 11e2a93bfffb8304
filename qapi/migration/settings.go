package migration

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
)

// prepare sets the capabilities of a migration, always including events, and its parameters, and adds to u how to
// reset them. What was set before stays set, unless the options say otherwise.
func prepare(ctx context.Context, c *qapi.Client, o options, u *undo.Stack) error {
	before, during, err := capabilities(ctx, c, o)
	if err != nil {
		return err
	}
	put := func(ctx context.Context, list []qapi.MigrationCapabilityStatus) error {
		return tell(ctx, c, func(ctx context.Context) error {
			return c.MigrateSetCapabilities(ctx, qapi.MigrateSetCapabilitiesArgs{Capabilities: list})
		})
	}
	if len(during) > 0 {
		u.Add("capabilities of migration", func(ctx context.Context) error { return put(ctx, before) })
		if err := put(ctx, during); err != nil {
			return fmt.Errorf("setting capabilities: %w", err)
		}
	}
	return prepareParameters(ctx, c, o.parameters, u)
}

// capabilities returns the capabilities that have to be changed: with their present values, and
// with the new ones.
func capabilities(ctx context.Context, c *qapi.Client, o options) (before, during []qapi.MigrationCapabilityStatus, err error) {
	all, err := again(ctx, c, c.QueryMigrateCapabilities)
	if err != nil {
		return nil, nil, err
	}
	now := map[qapi.MigrationCapability]bool{}
	for _, have := range all {
		now[have.Capability] = have.State
	}
	wanted := maps.Clone(o.capabilities)
	wanted[qapi.MigrationCapabilityEvents] = true
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		on := wanted[name]
		is, known := now[name]
		switch {
		case !known && on:
			return nil, nil, fmt.Errorf("this QEMU does not have the capability %s: %w", name, errors.ErrUnsupported)
		case is != on:
			before = append(before, qapi.MigrationCapabilityStatus{Capability: name, State: is})
			during = append(during, qapi.MigrationCapabilityStatus{Capability: name, State: on})
		}
	}
	return before, during, nil
}

func prepareParameters(ctx context.Context, c *qapi.Client, wanted qapi.MigrationParameters, u *undo.Stack) error {
	if reflect.ValueOf(wanted).IsZero() {
		return nil
	}
	now, err := again(ctx, c, c.QueryMigrateParameters)
	if err != nil {
		return err
	}
	put := func(ctx context.Context, p qapi.MigrationParameters) error {
		return tell(ctx, c, func(ctx context.Context) error { return c.MigrateSetParameters(ctx, p) })
	}
	u.Add("parameters of migration", func(ctx context.Context) error { return put(ctx, present(now, wanted)) })
	if err := put(ctx, wanted); err != nil {
		return fmt.Errorf("setting parameters: %w", err)
	}
	return nil
}

// present returns the values in now of the parameters that are set in like. If
// the server does not report a text, it is reset to the empty text; other values that it
// does not report cannot be reset.
func present(now, like qapi.MigrationParameters) qapi.MigrationParameters {
	var p qapi.MigrationParameters
	from, mask, to := reflect.ValueOf(now), reflect.ValueOf(like), reflect.ValueOf(&p).Elem()
	for i := range mask.NumField() {
		switch {
		case mask.Field(i).IsZero():
		case !from.Field(i).IsZero():
			to.Field(i).Set(from.Field(i))
		case to.Field(i).Type() == reflect.TypeFor[qapi.StrOrNull]():
			to.Field(i).Set(reflect.ValueOf(qapi.Str("")))
		}
	}
	return p
}

// settled waits until the machine has left the state finish-migrate. QEMU reports the end of a migration
// shortly before that.
func settled(ctx context.Context, c *qapi.Client) error {
	return poll.Until(ctx, func(ctx context.Context) (bool, error) {
		now, err := again(ctx, c, c.QueryStatus)
		return now.Status != qapi.RunStateFinishMigrate, err
	})
}

package hotplug

import (
	"context"
	"errors"
	"fmt"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/internal/undo"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// A resource is a device, or a part of the host's side of one, that can be added to a machine and
// removed.
type resource struct {
	what   string // for errors, such as: block node "disk0"
	add    func(context.Context) error
	exists func(context.Context) (bool, error)
	remove func(context.Context) error // succeeds if the resource does not exist
}

// addAll adds resources in order. If one cannot be added, those before it are removed.
func addAll(ctx context.Context, c *qapi.Client, resources ...resource) (err error) {
	var u undo.Stack
	defer u.Run(ctx, &err)
	for _, r := range resources {
		if there, err := r.exists(ctx); err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		} else if there { // a roll-back would remove it
			return fmt.Errorf("%s: it exists already", r.what)
		}
		mayExist, err := r.addOnce(ctx, c)
		if mayExist {
			u.Add(r.what, r.remove)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", r.what, err)
		}
	}
	return nil
}

// addOnce adds the resource. If the reply was lost, it looks for the resource, and adds it again if
// it does not exist.
func (r resource) addOnce(ctx context.Context, c *qapi.Client) (mayExist bool, err error) {
	err = retry.Once(ctx, c.Conn(), func(ctx context.Context) error {
		err := r.add(ctx)
		if mayExist && qapi.IsExists(err) { // the command whose reply was lost has added it
			return nil
		}
		mayExist = mayExist || qmp.MayHaveRun(err)
		return err
	}, r.exists)
	return mayExist, err
}

// removeAll removes resources in order. After the first that cannot be removed, the others stay:
// the error says so.
func removeAll(ctx context.Context, resources ...resource) error {
	for i, r := range resources {
		err := r.remove(ctx)
		if err == nil {
			continue
		}
		for _, other := range resources[i+1:] {
			err = fmt.Errorf("%w; %s stays, too", err, other.what)
		}
		return err
	}
	return nil
}

// removeFree removes a resource as soon as nothing uses it any more. It succeeds if the resource does
// not exist.
func removeFree(ctx context.Context, c *qapi.Client, what string, remove func(context.Context) error) error {
	var inUse error
	err := poll.Until(ctx, func(ctx context.Context) (bool, error) {
		err := gone(remove(ctx))
		if qapi.IsInUse(err) {
			inUse = err
			return false, nil
		}
		if retry.Lost(c.Conn(), err) {
			return false, nil
		}
		return true, err
	})
	switch {
	case err == nil:
		return nil
	case inUse != nil && ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", inUse, err)
	}
	return fmt.Errorf("hotplug: removing %s: %w", what, err)
}

// errNoID is why a device cannot be plugged in by this package.
var errNoID = errors.New("it needs an id, so that it can be unplugged")

package qga

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/goqapi/goqapi/internal/progress"
	"github.com/goqapi/goqapi/qmp"
)

// A Guest is what a guest's agent says about the guest. The guest decides all of it: texts
// can have control characters.
type Guest struct {
	HostName    string
	OS          GuestOSInfo
	Timezone    GuestTimezone
	Interfaces  []GuestNetworkInterface
	Filesystems []GuestFilesystemInfo
	Users       []GuestUser // who are logged in

	// Unsupported are the commands that the agent does not have or must not execute. What they
	// would have returned is empty.
	Unsupported []string
}

// Inspect asks a guest's agent for all that a [Guest] has. What the agent does not support
// is not an error.
func Inspect(ctx context.Context, c *Client) (Guest, error) {
	var g Guest
	for _, ask := range []func() error{
		func() error { name, err := c.GuestGetHostName(ctx); g.HostName = name.HostName; return err },
		func() (err error) { g.OS, err = c.GuestGetOsinfo(ctx); return err },
		func() (err error) { g.Timezone, err = c.GuestGetTimezone(ctx); return err },
		func() (err error) { g.Interfaces, err = c.GuestNetworkGetInterfaces(ctx); return err },
		func() (err error) { g.Filesystems, err = c.GuestGetFsinfo(ctx); return err },
		func() (err error) { g.Users, err = c.GuestGetUsers(ctx); return err },
	} {
		err := ask()
		if refused, ok := errors.AsType[*qmp.Error](err); ok && unsupported(refused) {
			g.Unsupported = append(g.Unsupported, refused.Command)
		} else if err != nil {
			return g, fmt.Errorf("qga: inspect: %w", err)
		}
	}
	return g, nil
}

// unsupported reports whether an agent refused a command because it does not have it, must not
// execute it, or has it only for other operating systems.
func unsupported(e *qmp.Error) bool {
	return e.Class == qmp.ClassCommandNotFound || e.Desc == "this feature or command is not currently supported"
}

// Addrs returns the addresses of a network interface with the lengths of their networks' prefixes. What
// is not an address is left out.
func (i GuestNetworkInterface) Addrs() []netip.Prefix {
	var list []netip.Prefix
	for _, a := range i.IPAddresses {
		addr, err := netip.ParseAddr(a.IPAddress)
		if prefix := netip.PrefixFrom(addr, int(a.Prefix)); err == nil && prefix.IsValid() {
			list = append(list, prefix)
		}
	}
	return list
}

// Percent returns how full the file system is for users other than root, from 0 to 100; 0 if the
// agent does not say.
func (i GuestFilesystemInfo) Percent() float64 {
	if i.UsedBytes == nil || i.TotalBytes == nil {
		return 0
	}
	return progress.Percent(float64(*i.UsedBytes), float64(*i.TotalBytes))
}

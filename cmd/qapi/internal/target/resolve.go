package target

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/internal/address"
	"github.com/goqapi/goqapi/internal/edits"
	"github.com/goqapi/goqapi/qmp"
)

// Help describes addresses, for the help of commands.
const Help = `ADDR is one of
  NAME or PID:1234             a machine as "qapi ps" shows it
  @PATTERN                     all machines whose name matches, such as @web*
  /run/vm/qmp.sock             the path of a Unix socket
  HOST:PORT                    TCP
  unix:… tcp:… vsock:… fd:…    what QEMU's own -qmp option takes
  libvirt:NAME                 a machine that libvirt owns
  libvirt+ssh://HOST/NAME      the same on another host`

// A NotFoundError is the error for an address without a machine at the moment.
type NotFoundError struct{ text string }

func (e *NotFoundError) Error() string { return e.text }

func notFound(format string, args ...any) error {
	return &NotFoundError{fmt.Sprintf(format, args...)}
}

// Resolve returns the machines that an address names: one, or several for a pattern.
func Resolve(ctx context.Context, f Finder, addr string) ([]Machine, error) {
	kind, rest, hasKind := strings.Cut(addr, ":")
	switch {
	case addr == "":
		return nil, errors.New("the address is empty")
	case strings.HasPrefix(addr, "@"):
		return matching(ctx, f, addr[1:])
	case strings.Contains(addr, "/") && (!hasKind || strings.Contains(kind, "/")):
		return known(ctx, f, addr, qmp.UnixAddr(addr))
	case !hasKind:
		return named(ctx, f, addr)
	case kind == "PID":
		return withPID(ctx, f, addr, rest)
	case kind == "unix", kind == "tcp":
		return known(ctx, f, addr, addr)
	case kind == "libvirt", kind == "libvirt+ssh", kind == "libvirt+tcp":
		return []Machine{{Name: addr, Address: addr, Libvirt: true}}, nil
	case kind == "libvirt+tls": // crypto/tls would add 2 MB to the program
		return nil, fmt.Errorf("%q: this program has no TLS: use libvirt+ssh://HOST/NAME", addr)
	case isHostPort(addr):
		return known(ctx, f, addr, "tcp:"+addr)
	}
	_, err := address.Parse(addr)
	return []Machine{{Name: addr, Address: addr}}, err
}

// known returns the machine with a monitor at an address, with everything else that was
// found out about it; typed is the address as the user wrote it.
func known(ctx context.Context, f Finder, typed, at string) ([]Machine, error) {
	if _, err := address.Parse(at); err != nil {
		return nil, err
	}
	found, err := f.Find(ctx)
	if err != nil && !errors.Is(err, ErrUnsupported) {
		return nil, err
	}
	for _, m := range found {
		if sameSocket(m.Socket, at) {
			m.Name, m.Address = typed, at
			return []Machine{m}, nil
		}
		if sameSocket(m.Agent, at) {
			return []Machine{{Name: typed, Address: at, AgentOf: cmp.Or(m.Name, fmt.Sprint("PID:", m.PID))}}, nil
		}
	}
	return []Machine{{Name: typed, Address: at}}, nil
}

// sameSocket reports whether two addresses are of one Unix socket or of one port.
func sameSocket(a, b string) bool {
	if a == b {
		return a != ""
	}
	left, right, ok := strings.Cut(a, ":")
	if !ok || left != "unix" || !strings.HasPrefix(b, "unix:") || strings.Contains(a+b, ",") {
		return false
	}
	one, err := os.Stat(right)
	if err != nil {
		return false
	}
	other, err := os.Stat(strings.TrimPrefix(b, "unix:"))
	return err == nil && os.SameFile(one, other)
}

// isHostPort reports whether an address has the form HOST:PORT. It returns false for addresses
// of other kinds that look like it, such as fd:3.
func isHostPort(addr string) bool {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	return err == nil && !slices.Contains([]string{"fd", "vsock", "pipe"}, host)
}

// named returns the machine with a name, or otherwise a socket in the working folder.
func named(ctx context.Context, f Finder, name string) ([]Machine, error) {
	found, err := f.Find(ctx)
	if err == nil {
		var same, all []string
		var machine Machine
		for _, m := range found {
			if m.Name == name {
				machine = m
				same = append(same, "PID:"+strconv.Itoa(m.PID))
			}
			all = append(all, m.Name)
		}
		switch {
		case len(same) == 1:
			return []Machine{machine}, nil
		case len(same) > 1:
			return nil, fmt.Errorf("%d machines are named %q: use %s", len(same), name, strings.Join(same, " or "))
		}
		err = notFound(`no machine is named %q; "qapi ps" shows those of this host%s`, name, guess(name, all))
	}
	if info, statErr := os.Stat(name); statErr == nil && info.Mode().Type() == os.ModeSocket {
		return []Machine{{Name: name, Address: qmp.UnixAddr("." + string(filepath.Separator) + name)}}, nil
	}
	return nil, err
}

// guess returns a suggestion of the most similar name, as the end of an error's text.
func guess(name string, all []string) string {
	best := edits.Nearest(name, all)
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// withPID returns the machine of a process.
func withPID(ctx context.Context, f Finder, typed, number string) ([]Machine, error) {
	pid, err := strconv.Atoi(number)
	if err != nil || pid <= 0 {
		return nil, fmt.Errorf("%q is not the id of a process", number)
	}
	found, err := f.Find(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range found {
		if m.PID != pid {
			continue
		}
		if m.Name == "" {
			m.Name = typed
		}
		return []Machine{m}, nil
	}
	return nil, notFound("process %d is not a QEMU of this host", pid)
}

// matching returns the machines whose name matches a pattern.
func matching(ctx context.Context, f Finder, pattern string) ([]Machine, error) {
	if _, err := path.Match(pattern, ""); err != nil {
		return nil, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	found, err := f.Find(ctx)
	if err != nil {
		return nil, err
	}
	var list []Machine
	for _, m := range found {
		if ok, _ := path.Match(pattern, m.Name); ok && m.Name != "" {
			list = append(list, m)
		}
	}
	if len(list) == 0 {
		return nil, notFound(`no machine's name matches %q; "qapi ps" shows those of this host`, pattern)
	}
	return list, nil
}

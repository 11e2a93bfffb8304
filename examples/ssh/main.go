// Ssh follows the state of a QEMU on another host, whose QMP socket it reaches by SSH, without
// libvirt. When the connection is lost, it is made again.
//
//	go run . user@host:22 unix:/run/vm/qmp.sock
//
// It logs in with the keys of the SSH agent, and knows hosts from ~/.ssh/known_hosts.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: ssh USER@HOST[:PORT] unix:PATH")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ssh:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, host, addr string, out io.Writer) error {
	t, err := newTunnel(host)
	if err != nil {
		return err
	}
	defer t.Close()
	err = follow(ctx, t, addr, out)
	if ctx.Err() != nil { // the user has interrupted it
		return nil
	}
	return err
}

// newTunnel returns a tunnel that logs in as ssh(1) does where it has an agent.
func newTunnel(host string) (*Tunnel, error) {
	user, host, found := strings.Cut(host, "@")
	if !found {
		return nil, errors.New("the address has no user: write USER@HOST")
	}
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(host, "22")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, err
	}
	known, err := knownhosts.New(filepath.Join(home, ".ssh", "known_hosts"))
	if err != nil {
		return nil, err
	}
	keys, err := net.Dial("unix", os.Getenv("SSH_AUTH_SOCK"))
	if err != nil {
		return nil, fmt.Errorf("the SSH agent: %w", err)
	}
	return &Tunnel{Addr: host, Config: ssh.ClientConfig{
		User:            user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeysCallback(agent.NewClient(keys).Signers)},
		HostKeyCallback: known,
	}}, nil
}

// follow prints the state of a machine at the beginning, and whenever it may have changed.
func follow(ctx context.Context, t *Tunnel, addr string, out io.Writer) error {
	c, err := qapi.Dial(ctx, addr, qmp.WithDialer(t), qmp.WithReconnect(qmp.Reconnect{}))
	if err != nil {
		return err
	}
	defer c.Close()
	events := c.Conn().Subscribe([]string{"STOP", "RESUME", "SHUTDOWN", "RESET", "SUSPEND", "WAKEUP"})
	defer events.Close()
	for {
		status, err := c.QueryStatus(ctx)
		switch {
		case err == nil:
			fmt.Fprintln(out, status.Status)
		case errors.Is(err, qmp.ErrClosed) && c.Conn().Err() == nil: // ask again on the next connection
			continue
		default:
			return err
		}
		e, err := events.Next(ctx)
		if gap, ok := errors.AsType[*qmp.GapError](err); ok {
			fmt.Fprintln(out, "connection lost:", gap.Cause)
		} else if err != nil {
			return err
		} else {
			fmt.Fprintln(out, e.Name)
		}
	}
}

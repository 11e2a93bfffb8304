package cli

import (
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/describe"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/cmd/qapi/internal/shell"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

func (a *app) shellCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "shell ADDR | shell -- QEMU [ARG...]",
		Short: "Talk to a QEMU line by line, with completion",
		Long: `Sends the commands that are typed to a QEMU, and shows its replies and, above the line that
is being typed, its events. Tab completes commands, arguments, values, and names in the
machine, such as those of its devices. The arguments are those of "qapi call"; a line that
is a JSON object is sent as it is. :help lists the commands to the shell itself.

After -- you can give a QEMU with its arguments: it is started for the session, and ended
with it.

Without a terminal it reads lines from standard input, and writes a line of JSON for each reply
and each event.

It exits with the code of the last command that failed (see "qapi help"), and with 0 if none did.

What is typed is kept in qapi/history in $XDG_STATE_HOME, or in ~/.local/state if that is not
set. Lines that have passwords are not kept.`,
		Example: `  qapi shell web01
  qapi shell -- qemu-system-x86_64 -machine q35 -display none
  echo query-status | qapi shell unix:/run/vm/web01.sock`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 0 && len(args) > 0 {
				return nil
			}
			return count(1, 1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 0 {
				return a.shellWith(cmd.Context(), args)
			}
			return a.shellAt(cmd.Context(), args[0])
		},
	}
	return cmd
}

// shellAt runs a session with the machine at an address.
func (a *app) shellAt(ctx context.Context, addr string) error {
	m, err := a.one(ctx, addr)
	if err != nil {
		return err
	}
	c, err := m.Dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	return a.session(ctx, c, cmp.Or(m.Name, "qemu"), nil)
}

// shellWith starts a QEMU, runs a session with it, and ends it.
func (a *app) shellWith(ctx context.Context, command []string) (err error) {
	notes := &shell.Notes{Name: filepath.Base(command[0])}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = notes, notes
	ownProcessGroup(cmd)
	p, err := qmp.Launch(ctx, cmd)
	if err != nil {
		return exit.With(exit.NoConnection, err)
	}
	defer func() {
		if e := p.Close(); err == nil {
			err = e
		}
	}()
	return a.session(ctx, qapi.NewClient(p.Conn), "qemu", notes)
}

func (a *app) session(ctx context.Context, c *qapi.Client, name string, notes *shell.Notes) error {
	v := c.Conn().Greeting().Version
	known, err := a.schemaOf(ctx, v)
	if err != nil {
		return err
	}
	return shell.Run(ctx, shell.Options{
		Client: c, Name: name, Notes: notes,
		In: a.in, Out: term.New(a.out, a.env), Err: a.errOut,
		Release: known, Devices: func() []*devices.List { return shellDevices(v) },
		HistoryFile: a.stateFile("history"), Create: createPrivate, Match: matching(known), Describe: describeTo,
	})
}

func describeTo(out *term.Output, name string) error {
	library, err := describe.New("")
	if err != nil {
		return err
	}
	entry, err := library.Lookup(name)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	return entry.Print(out)
}

// matching returns a function that reads which events are asked for, with the known names.
func matching(known *schema.Schema) func(text string) (func(qmp.Event) bool, error) {
	return func(text string) (func(qmp.Event) bool, error) {
		m, err := parseMatcher(text)
		if err == nil {
			err = m.check(known)
		}
		return m.matches, err
	}
}

// shellDevices returns what is known about the devices of a version. Completion does not ask a
// server about devices that are known: some releases end then.
func shellDevices(v qmp.Version) []*devices.List {
	var lists []*devices.List
	for _, release := range versions.Around(fmt.Sprintf("%d.%d", v.Major, v.Minor), facts.DeviceReleases()) {
		if list, err := facts.Devices(release); err == nil { // tests read all of them
			lists = append(lists, list)
		}
	}
	return lists
}

// stateFile returns the path of a file that is kept between runs; "" if there is no place for it.
func (a *app) stateFile(name string) string {
	dir := a.env("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) { // as the specification says
		home := a.env("HOME")
		if home == "" {
			return ""
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "qapi", name)
}

package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/arguments"
	"github.com/goqapi/goqapi/cmd/qapi/internal/describe"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/internal/edits"
	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/raw"
	"github.com/goqapi/goqapi/schema"
)

// A call is a command of the user, with its flags.
type call struct {
	command string
	words   *arguments.Words
	wait    *matcher // the event to wait for; nil: none
	filter  *filter  // nil: print the whole result
	files   []passedFile
	oob     bool
	several bool // machines: each line has the machine's name
}

// The flags of qapi call.
type callFlags struct {
	wait, jq, release string
	files             []string
	oob, dryRun       bool
	timeout           *time.Duration
}

// callCommand executes one command on machines.
func (a *app) callCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "call ADDR COMMAND [ARG...]",
		Short: "Execute one command on a QEMU",
		Long: `Executes a QMP command on a QEMU, and prints its result as JSON. Mistakes in the arguments
are found before anything is sent; commands that qapi does not know are sent as they are.
If ADDR names several machines, each line has the name of its machine.

` + target.Help + "\n\n" + arguments.Help,
		Example: `  qapi call web01 query-status
  qapi call web01 blockdev-add driver=qcow2 node-name=disk1 file.driver=file file.filename=/vm/d.qcow2
  qapi call web01 device_del id=disk0 --wait DEVICE_DELETED:device=disk0 --timeout 10s
  qapi call @web* query-block --jq '.[].device'
  qapi call web01 dump-guest-memory paging=false protocol=file:/tmp/core detach=on --wait DUMP_COMPLETED
  qapi call web01 netdev_add type=tap id=n0 fd=tap --file tap=/dev/tap5`,
		Args: count(2, -1),
	}
	var flags callFlags
	f := cmd.Flags()
	f.StringVar(&flags.wait, "wait", "", "after the command, wait for an `event`, EVENT[:MEMBER=VALUE,...], and print it")
	f.StringVar(&flags.jq, "jq", "", "a jq `expression` that selects the part of the result to print")
	f.StringArrayVar(&flags.files, "file", nil, "pass a file, `NAME=PATH`, to which arguments can refer by its name")
	f.BoolVar(&flags.oob, "oob", false, "execute the command out of band, before those that are waiting")
	f.BoolVar(&flags.dryRun, "dry-run", false, "print what would be sent, without connecting")
	f.StringVarP(&flags.release, "release", "r", "", "with --dry-run: the `release` of QEMU, such as 7.2 (default: the newest)")
	flags.timeout = timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.call(cmd.Context(), args[0], args[1], args[2:], flags)
	}
	return cmd
}

func (a *app) call(ctx context.Context, addr, command string, words []string, flags callFlags) (err error) {
	if flags.release != "" && !flags.dryRun {
		return exit.Usagef("--release needs --dry-run: a server has its own release")
	}
	c := call{command: command, oob: flags.oob, several: strings.HasPrefix(addr, "@")}
	if c.words, err = arguments.Read(command, words, a.sources(ctx)); err != nil {
		return badWords(err)
	}
	if flags.wait != "" {
		m, err := parseMatcher(flags.wait)
		if err != nil {
			return err
		}
		c.wait = &m
	}
	if c.filter, err = parseFilter(flags.jq); err != nil {
		return err
	}
	if flags.dryRun {
		return a.dryRun(ctx, &c, flags.release)
	}
	if c.files, err = openFiles(flags.files); err != nil {
		return err
	}
	defer closeFiles(c.files)
	ctx, cancel := withTimeout(ctx, *flags.timeout)
	defer cancel()
	machines, err := a.resolve(ctx, addr)
	if err != nil {
		return err
	}
	if !c.several {
		return a.callOne(ctx, machines[0], &c)
	}
	return a.each(machines, func(m target.Machine) error { return a.callOne(ctx, m, &c) })
}

// dryRun prints what a call would send, without its secrets.
func (a *app) dryRun(ctx context.Context, c *call, release string) error {
	s, err := a.schema(ctx, release)
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	var v qmp.Version
	v.Major, v.Minor = versions.Numbers(release)
	request, err := c.request(s, v)
	if err == nil {
		a.printJSON(redact.JSON(request.message(c.oob)))
	}
	return err
}

// A request is a command with its arguments, as sent.
type request struct {
	command   string
	arguments json.RawMessage // nil: none
}

func (r request) message(oob bool) []byte {
	m := struct {
		Execute   string          `json:"execute,omitempty"`
		OutOfBand string          `json:"exec-oob,omitempty"`
		Arguments json.RawMessage `json:"arguments,omitempty"`
	}{Execute: r.command, Arguments: r.arguments}
	if oob {
		m.Execute, m.OutOfBand = "", r.command
	}
	text, _ := json.Marshal(m) // the arguments are valid
	return text
}

// request makes the request for a server of a version, or an error for wrong usage.
func (c *call) request(s *schema.Schema, v qmp.Version) (request, error) {
	r := request{command: c.command}
	command, _ := s.Lookup(c.command).(*schema.Command)
	if command != nil && c.oob && !command.AllowOOB {
		return r, exit.Usagef("%s cannot be executed out of band; those that can are %s", c.command, strings.Join(outOfBand(s), ", "))
	}
	if c.wait != nil {
		if err := c.wait.check(s); err != nil {
			return r, err
		}
	}
	text, err := c.encode(command, v)
	if err != nil {
		return r, exit.With(exit.Usage, err)
	}
	if !bytes.Equal(text, []byte("{}")) {
		r.arguments = text
	}
	return r, nil
}

func (c *call) encode(command *schema.Command, v qmp.Version) ([]byte, error) {
	if command == nil || command.Gen {
		return c.words.Encode(command, nil)
	}
	list, err := devicesOf(v)
	if err != nil {
		return nil, err
	}
	return c.words.Encode(command, list)
}

// outOfBand returns the commands that can be executed out of band.
func outOfBand(s *schema.Schema) []string {
	var names []string
	for _, c := range s.Commands() {
		if c.AllowOOB {
			names = append(names, c.Name)
		}
	}
	return names
}

// callOne executes the command on one machine, and prints the result.
func (a *app) callOne(ctx context.Context, m target.Machine, c *call) error {
	var opts []qmp.Option
	if c.oob {
		opts = append(opts, qmp.WithOOB())
	}
	client, err := m.Dial(ctx, opts...)
	if err != nil {
		return err
	}
	defer client.Close()
	conn := client.Conn()
	v := conn.Greeting().Version
	s, err := a.schemaOf(ctx, v)
	if err != nil {
		return err
	}
	r, err := c.request(s, v)
	if err != nil {
		return err
	}
	err = a.execute(ctx, conn, m.Name, c, r)
	return guessCommand(redacted(err, r), s)
}

// execute sends the command, prints its result, and waits for the event.
func (a *app) execute(ctx context.Context, conn *qmp.Conn, vm string, c *call, r request) error {
	conn, err := passFiles(ctx, conn, c.command, c.files)
	if err != nil {
		return err
	}
	if c.oob {
		conn = conn.With(qmp.OutOfBand())
	}
	var events *qmp.Subscription
	if c.wait != nil { // before the command is sent: the event may come before its reply
		events = conn.Subscribe(c.wait.names())
		defer events.Close()
	}
	var args any
	if r.arguments != nil {
		args = r.arguments
	}
	result, err := raw.New(conn).Execute(ctx, r.command, args)
	if err != nil {
		return err
	}
	if err := a.printResult(ctx, vm, c, result); err != nil {
		return err
	}
	if c.wait == nil {
		return nil
	}
	end := func() {}
	if c.command == "dump-guest-memory" && !c.several {
		end = a.showDump(ctx, conn)
	}
	e, err := c.wait.await(ctx, events)
	end()
	if err != nil {
		return err
	}
	line := eventLine{Event: e.Name, Data: e.Data}
	if c.several {
		line.VM = vm
	}
	a.printLine(line)
	return nil
}

// printResult prints a result, unless it is empty.
func (a *app) printResult(ctx context.Context, vm string, c *call, result json.RawMessage) error {
	values := []any{result}
	if c.filter != nil {
		var err error
		if values, err = c.filter.run(ctx, result); err != nil {
			return err
		}
	} else if !c.several && bytes.Equal(bytes.TrimSpace(result), []byte("{}")) {
		return nil
	}
	for _, v := range values {
		switch v := v.(type) {
		case json.RawMessage:
			if c.several {
				a.printLine(resultLine{vm, v})
			} else {
				a.printJSON(v)
			}
		case string: // of a filter
			if c.several {
				text, _ := json.Marshal(v) // cannot fail
				a.printLine(resultLine{vm, text})
			} else {
				a.printText(v)
			}
		}
	}
	return nil
}

// A resultLine is the result of one machine of several.
type resultLine struct {
	VM     string          `json:"vm"`
	Return json.RawMessage `json:"return"`
}

// redacted returns an error without the secrets of the request.
func redacted(err error, r request) error {
	if err == nil {
		return nil
	}
	secrets := redact.ReadRequest(r.message(false))
	if text := err.Error(); secrets.HasSecrets() && secrets.Text(text) != text {
		return &redactedError{err, secrets.Text(text)}
	}
	return err
}

type redactedError struct {
	error
	text string
}

func (e *redactedError) Error() string { return e.text }
func (e *redactedError) Unwrap() error { return e.error }

// guessCommand adds a hint to the error of a command that the server does not know: which releases know
// it, or a similar command.
func guessCommand(err error, s *schema.Schema) error {
	e, refused := errors.AsType[*qmp.Error](err)
	if !refused || e.Class != qmp.ClassCommandNotFound {
		return err
	}
	if in := describe.In(e.Command); in != "" {
		return fmt.Errorf("%w; it is in %s", err, in)
	}
	var names []string
	for _, c := range s.Commands() {
		names = append(names, c.Name)
	}
	near := edits.Nearest(e.Command, names)
	if near == "" || near == e.Command {
		return err
	}
	return fmt.Errorf("%w; did you mean %s?", err, near)
}

package cli

import (
	"context"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/cmd/qapi/internal/live"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// A completer returns the words that can replace last; args are the arguments before it.
type completer func(c *completion, args []string, last string) []complete.Candidate

// completers has the completers of each command's arguments; the last one is also for all
// further arguments. If there is none, the shell completes the names of files.
var completers = map[string][]completer{
	"call":         {(*completion).addresses, (*completion).command},
	"events":       {(*completion).addresses, (*completion).events},
	"supports":     {(*completion).addresses, (*completion).paths},
	"shell":        {(*completion).addresses, nothing},
	"hmp":          {(*completion).addresses, nothing},
	"graph":        {(*completion).addresses, nothing},
	"top":          {(*completion).addresses},
	"migrate":      {(*completion).addresses, nothing},
	"describe":     {(*completion).definitions, nothing},
	"job ls":       {(*completion).addresses, nothing},
	"job wait":     {(*completion).addresses, (*completion).jobs},
	"job watch":    {(*completion).addresses, (*completion).jobs},
	"job pause":    {(*completion).addresses, (*completion).jobs},
	"job resume":   {(*completion).addresses, (*completion).jobs},
	"job complete": {(*completion).addresses, (*completion).jobs},
	"job cancel":   {(*completion).addresses, (*completion).jobs},
	"job dismiss":  {(*completion).addresses, (*completion).jobs},
	"agent run":    {(*completion).addresses, nothing},
	"agent cat":    {(*completion).addresses, nothing},
	"agent put":    {(*completion).addresses, (*completion).files, nothing},
	"agent info":   {(*completion).addresses, nothing},
	"agent freeze": {(*completion).addresses, nothing},
	"agent call":   {(*completion).addresses, (*completion).agentCommand},
	"generate":     {(*completion).generator},
	"ps":           {nothing},
	"schema diff":  {(*completion).releases, (*completion).releases, nothing},
	"schema dump":  {(*completion).releases, nothing},
	"schema check": {(*completion).releases},
	"diff":         {(*completion).releases, (*completion).releases, nothing},
	"dump":         {(*completion).releases, nothing},
	"check":        {(*completion).releases},
}

// flagCompleters has the completers of flags' values.
var flagCompleters = map[string]completer{
	"wait":    (*completion).conditions,
	"release": (*completion).versions,
}

// addCompletion makes the shell complete the arguments of the commands below root.
func (a *app) addCompletion(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		a.addCompletion(cmd)
		path := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
		if list := completers[path]; list != nil {
			cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, last string) ([]string, cobra.ShellCompDirective) {
				return a.complete(cmd.Context(), list[min(len(args), len(list)-1)], args, last)
			}
		}
		for name, f := range flagCompleters {
			if cmd.Flags().Lookup(name) == nil || name == "wait" && path != "call" {
				continue
			}
			_ = cmd.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, args []string, last string) ([]string, cobra.ShellCompDirective) {
				return a.complete(cmd.Context(), f, args, last)
			}) // the flag exists
		}
	}
}

// complete runs a completer, within the time that a user who types will wait.
func (a *app) complete(ctx context.Context, f completer, args []string, last string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(ctx, live.Limit)
	defer cancel()
	c := &completion{app: a, ctx: ctx}
	defer c.close()
	directive := cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	var words []string
	for _, candidate := range f(c, args, last) {
		word := candidate.Word
		if strings.ContainsAny(word, "\t\n") {
			continue // a shell cannot show it
		}
		if candidate.Help != "" {
			word += "\t" + candidate.Help
		}
		words = append(words, word)
		if candidate.Open {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
	}
	return words, directive
}

// A completion is one run of a completer. It connects to a machine only for names that only the
// machine knows.
type completion struct {
	app    *app
	ctx    context.Context
	addr   string
	client *qapi.Client // nil: not connected
	tried  bool
}

func (c *completion) close() {
	if c.client != nil {
		c.client.Close()
	}
}

func nothing(*completion, []string, string) []complete.Candidate { return nil }

// addresses returns the machines of this host, or the files that can be sockets.
func (c *completion) addresses(_ []string, last string) []complete.Candidate {
	before, path := "", last
	if p, ok := strings.CutPrefix(last, "unix:"); ok {
		before, path = "unix:", p
	}
	if before != "" || strings.ContainsAny(last, "/") {
		return (&complete.Engine{Files: complete.Files}).Paths(c.ctx, before, path)
	}
	machines, err := c.app.finder.Find(c.ctx)
	if err != nil {
		return nil
	}
	var found []complete.Candidate
	for _, m := range machines {
		word := m.Name
		if word == "" || strings.HasPrefix(last, "PID:") {
			word = "PID:" + strconv.Itoa(m.PID)
		}
		if strings.HasPrefix(word, last) {
			found = append(found, complete.Candidate{Word: word, Help: strings.TrimSpace(m.Program + " " + heldBy(m))})
		}
	}
	return found
}

// heldBy returns why a machine cannot be connected to; "" if it can.
func heldBy(m target.Machine) string {
	switch {
	case m.Libvirt:
		return "(libvirt's)"
	case m.Clients > 0:
		return "(busy)"
	}
	return ""
}

// engine returns an engine for a machine, which knows the newest release.
func (c *completion) engine(args []string) *complete.Engine {
	c.addr = args[0]
	s, err := c.app.schema(c.ctx, "")
	if err != nil {
		s = &schema.Schema{}
	}
	return &complete.Engine{Interface: s, Devices: newestDevices, Live: c, Files: complete.Files}
}

func newestDevices() []*devices.List {
	list, err := devicesOf(qmp.Version{})
	if err != nil {
		return nil
	}
	return []*devices.List{list}
}

// Names asks the machine. It implements complete.Live.
func (c *completion) Names(ctx context.Context, kind complete.Kind, of string) []string {
	if !c.connect() {
		return nil
	}
	return live.Of(c.client).Names(ctx, kind, of)
}

// connect connects to the machine if it is on this host, no other client is connected to it,
// libvirt does not own it, and it does not wait for a client before it starts.
func (c *completion) connect() bool {
	if c.tried {
		return c.client != nil
	}
	c.tried = true
	machines, err := target.Resolve(c.ctx, c.app.finder, c.addr)
	if err != nil || len(machines) != 1 {
		return false
	}
	m := machines[0]
	if m.PID == 0 || m.Libvirt || m.Clients > 0 || m.Waits || !strings.HasPrefix(m.Address, "unix:") {
		return false
	}
	c.client, err = m.Dial(c.ctx)
	return err == nil
}

// command completes a command with its arguments. A command that the newest release does not have
// may be one of the machine's own.
func (c *completion) command(args []string, last string) []complete.Candidate {
	e := c.engine(args)
	words := args[1:]
	if len(words) > 0 && e.Interface.Lookup(words[0]) == nil && c.connect() {
		if list, err := c.client.QueryQMPSchema(c.ctx); err == nil {
			e.Interface = live.NewInterface(list, e.Interface.(*schema.Schema))
		}
	}
	return e.Complete(c.ctx, words, last)
}

func (c *completion) agentCommand(args []string, last string) []complete.Candidate {
	releases := facts.Releases()
	s, err := facts.Load(releases[len(releases)-1], facts.QGA)
	if err != nil {
		return nil
	}
	return (&complete.Engine{Interface: s, Files: complete.Files}).Complete(c.ctx, args[1:], last)
}

func (c *completion) events(args []string, last string) []complete.Candidate {
	return c.engine(args).EventNames(last)
}

func (c *completion) conditions(_ []string, last string) []complete.Candidate {
	return c.engine([]string{""}).Conditions(last)
}

// paths completes the first part of a path, a command or "event X".
func (c *completion) paths(args []string, last string) []complete.Candidate {
	return c.engine(args).CommandNames(last)
}

func (c *completion) definitions(_ []string, last string) []complete.Candidate {
	e := c.engine([]string{""})
	return e.DefinitionNames(e.Interface.(*schema.Schema), last)
}

func (c *completion) jobs(args []string, last string) []complete.Candidate {
	c.addr = args[0]
	var found []complete.Candidate
	for _, id := range c.Names(c.ctx, complete.Job, "") {
		if strings.HasPrefix(id, last) {
			found = append(found, complete.Candidate{Word: id})
		}
	}
	return found
}

func (c *completion) files(_ []string, last string) []complete.Candidate {
	return (&complete.Engine{Files: complete.Files}).Paths(c.ctx, "", last)
}

// releases completes the releases that are known, or a file.
func (c *completion) releases(args []string, last string) []complete.Candidate {
	return append(c.versions(args, last), c.files(args, last)...)
}

func (c *completion) versions(_ []string, last string) []complete.Candidate {
	var found []complete.Candidate
	for _, release := range facts.Releases() {
		if strings.HasPrefix(release, last) {
			found = append(found, complete.Candidate{Word: release, Help: "QEMU " + release})
		}
	}
	return found
}

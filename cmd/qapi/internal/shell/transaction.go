package shell

import (
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/schema"
)

// A transaction is a list of commands that are executed together, or not at all.
type transaction struct {
	Actions []action `json:"actions"`
}

type action struct {
	Type string         `json:"type"`
	Data jsontext.Value `json:"data"`
}

func (t *transaction) add(name string, args []byte) {
	t.Actions = append(t.Actions, action{name, slices.Clone(args)})
}

func (t *transaction) arguments() ([]byte, error) { return json.Marshal(t) }

// actions is the interface in which the actions of transactions are the commands.
type actions struct {
	complete.Interface
	list []*schema.Command
}

// actionsOf returns the actions that the command transaction of an interface accepts.
func actionsOf(i complete.Interface) actions {
	a := actions{Interface: i}
	command, ok := i.Lookup("transaction").(*schema.Command)
	if !ok {
		return a
	}
	args, _ := command.Args.(*schema.Struct)
	for _, m := range args.AllMembers() {
		list, ok := m.Type.(*schema.Array)
		if !ok {
			continue
		}
		if u, ok := list.Elem.(*schema.Union); ok {
			a.add(u)
		}
	}
	slices.SortFunc(a.list, func(x, y *schema.Command) int { return strings.Compare(x.Name, y.Name) })
	return a
}

func (a *actions) add(u *schema.Union) {
	for _, b := range u.Branches {
		wrapper, _ := b.Type.(*schema.Struct)
		for _, m := range wrapper.AllMembers() {
			if m.Name == "data" {
				a.list = append(a.list, &schema.Command{Common: schema.Common{Name: b.Name}, Args: m.Type, Gen: true, SuccessResponse: true})
			}
		}
	}
}

// Commands returns the actions.
func (a actions) Commands() []*schema.Command { return a.list }

// Lookup returns an action or an event, or nil.
func (a actions) Lookup(name string) schema.Definition {
	if e, ok := a.Interface.Lookup(name).(*schema.Event); ok {
		return e
	}
	for _, c := range a.list {
		if c.Name == name {
			return c
		}
	}
	return nil
}

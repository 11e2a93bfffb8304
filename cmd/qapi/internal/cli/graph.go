package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/graph"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/disk"
)

// graphCommand draws the block graph of a machine.
func (a *app) graphCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "graph ADDR",
		Short: "Show the block graph: which device uses which image, and what is below it",
		Long: `Shows the block graph of a machine as a tree: devices, exports and jobs, and below each the
nodes that it uses, down to files. Read-only nodes are marked with ro.

` + target.Help,
		Example: `  qapi graph web01
  qapi graph web01 --svg >web01.svg`,
		Args: count(1, 1),
	}
	f := cmd.Flags()
	asDOT := f.Bool("dot", false, "write it in the language of Graphviz")
	asMermaid := f.Bool("mermaid", false, "write it in the language of Mermaid")
	asSVG := f.Bool("svg", false, "write a picture, which the program dot draws")
	asJSON := f.Bool("json", false, "write it as JSON")
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if n := f.NFlag(); n > 1 && !(n == 2 && f.Changed("timeout")) {
			return exit.Usagef("only one of --dot, --mermaid, --svg and --json can be chosen")
		}
		return a.with(cmd.Context(), args[0], *timeout, func(ctx context.Context, c *qapi.Client) error {
			g, err := disk.ReadGraph(ctx, c)
			switch {
			case err != nil:
				return err
			case *asDOT:
				a.write(graph.DOT(g))
			case *asMermaid:
				a.write(graph.Mermaid(g))
			case *asSVG:
				text, err := graph.SVG(ctx, g)
				a.write(text)
				return err
			case *asJSON:
				text, err := graph.JSON(g)
				a.printJSON(text)
				return err
			default:
				return graph.Tree(term.New(a.out, a.env), g)
			}
			return nil
		})
	}
	return cmd
}

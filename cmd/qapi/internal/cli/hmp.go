package cli

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/target"
	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/qapi"
)

// hmpCommand executes a line of a machine's human monitor.
func (a *app) hmpCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "hmp ADDR LINE",
		Short: "Execute a line of a QEMU's human monitor",
		Long: `Executes a line of a QEMU's human monitor (HMP), and prints the output. If LINE is -, it is
read from standard input. The exit code is 1 if the output is a known error.

` + target.Help,
		Example: `  qapi hmp web01 info block -n
  qapi hmp --timeout 10s web01 info qtree`,
		Args: count(2, -1),
	}
	cmd.Flags().SetInterspersed(false) // what follows the address belongs to the line
	timeout := timeoutFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		ctx, cancel := withTimeout(cmd.Context(), *timeout)
		defer cancel()
		line, isPrivate, err := a.hmpLine(ctx, args[1:])
		if err != nil {
			return err
		}
		c, err := a.dial(ctx, args[0])
		if err != nil {
			return err
		}
		defer c.Close()
		text, err := qapi.HMP(ctx, c, line)
		if err != nil {
			if isPrivate {
				err = redacted(err, hmpRequest(line))
			}
			return err
		}
		for l := range strings.Lines(text) {
			a.printText(strings.TrimSuffix(l, "\n"))
		}
		return nil
	}
	return cmd
}

// hmpLine returns the line that the words form; private reports that it was read from
// standard input. A secret in arguments is refused.
func (a *app) hmpLine(ctx context.Context, words []string) (line string, private bool, err error) {
	line = strings.Join(words, " ")
	if line == "-" {
		text, err := io.ReadAll(a.private(ctx))
		return strings.TrimSpace(string(text)), true, err
	}
	word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	isPassword := word == "set_password" || word == "block_passwd" || word == "change" && strings.Contains(rest, "password ")
	if isPassword || redact.Text(line) != line {
		return "", false, exit.Usagef("the line of %s has a secret, and other users can see arguments: use - and give the line on standard input", word)
	}
	return line, false, nil
}

// hmpRequest returns the request for a line.
func hmpRequest(line string) request {
	text, _ := json.Marshal(map[string]string{"command-line": line}) // cannot fail
	return request{command: "human-monitor-command", arguments: text}
}

package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/version"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
)

const (
	library   = "github.com/goqapi/goqapi"
	generator = library + "/generator"
	oldestGo  = "go1.26" // the oldest release of Go that can compile the generator
)

// generateCommand runs the generator with the go command: as a part of this program, the
// generator would make it a quarter larger.
func (a *app) generateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "generate -schema FILE -package NAME -out DIR [flags]",
		Short: "Write Go bindings for a QAPI schema",
		Long: `Writes Go bindings for the QAPI schema whose root is FILE into DIR, for a QEMU that you have
changed, or for only one release. "qapi generate -help" lists the flags.

It runs the generator with the go command, so that Go ` + strings.TrimPrefix(oldestGo, "go") + ` or newer must be on PATH. In a module
that requires goqapi this is the generator of that version, and otherwise the one of
this program's version.`,
		Example: `  qapi generate -schema ~/qemu/qapi/qapi-schema.json -package qapi -out ./qapi
  qapi generate -known -target qga -package qga -out ./qga`,
		DisableFlagParsing: true, // these are the generator's arguments
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && (args[0] == "-h" || args[0] == "--help") {
				return cmd.Help()
			}
			return a.generate(cmd.Context(), args)
		},
	}
}

func (a *app) generate(ctx context.Context, args []string) error {
	tool, err := findGo(ctx)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	pkg, err := tool.generator(ctx, a.library)
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	cmd := tool.command(ctx, slices.Concat([]string{"run", pkg}, args)...)
	errs := &statusFilter{to: a.errOut}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, errs
	err = cmd.Run()
	status := errs.end()
	failed, ran := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case ran && status > 0:
		return exit.Silent(status)
	case ran:
		return exit.Silent(max(failed.ExitCode(), exit.Failed)) // -1: ended by a signal
	}
	return err
}

// A goTool is the path of a go command.
type goTool string

// findGo finds the go command, and checks that it is new enough.
func findGo(ctx context.Context) (goTool, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return "", errors.New("the generator is run with the go command, which is not on PATH; https://go.dev/dl has it")
	}
	tool := goTool(path)
	out, err := tool.output(ctx, "env", "GOVERSION", "GOTOOLCHAIN")
	if err != nil {
		return "", err
	}
	has, toolchain, _ := strings.Cut(out, "\n")
	fetches := slices.ContainsFunc([]string{"auto", "path"}, func(way string) bool {
		return toolchain == way || strings.HasSuffix(toolchain, "+"+way)
	})
	if version.IsValid(has) && version.Compare(has, oldestGo) < 0 && !fetches {
		return "", fmt.Errorf("the generator needs Go %s or newer, and %s is %s", strings.TrimPrefix(oldestGo, "go"), path, has)
	}
	return tool, nil
}

// generator returns the argument of "go run" for the generator. If the module here has
// the generator, it is that one. Otherwise it is that of a version of the library: the
// version of the module here, or own.
func (g goTool) generator(ctx context.Context, own string) (string, error) {
	if _, err := g.output(ctx, "list", "-deps", generator); err == nil {
		return generator, nil
	}
	// The module may require the library, but not what only the generator needs.
	required, err := g.output(ctx, "list", "-m", "-f", "{{if not .Replace}}{{.Version}}{{end}}", library)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil && required == "":
		return generator, nil // the error of "go run" says what is missing
	case err == nil:
		return generator + "@" + required, nil
	case own == "":
		return "", fmt.Errorf("this qapi was not installed as a release, so it does not know the generator's version: "+
			"run it in a module that has the generator (go get -tool %s)", generator)
	}
	return generator + "@" + own, nil
}

// output runs a go command and returns what it prints.
func (g goTool) output(ctx context.Context, args ...string) (string, error) {
	var errs bytes.Buffer
	cmd := g.command(ctx, args...)
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

func (g goTool) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, string(g), args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// A statusFilter passes on what "go run" writes to its standard error, except a last line with the exit
// status of the program: "go run" itself exits with another one.
type statusFilter struct {
	to   io.Writer
	last []byte // of the line that is being written, if it can be the status
}

const statusLine = "exit status "

func (f *statusFilter) Write(p []byte) (int, error) {
	f.last = append(f.last, p...)
	line := f.last[bytes.LastIndexByte(bytes.TrimSuffix(f.last, []byte("\n")), '\n')+1:]
	if !bytes.HasPrefix(line, []byte(statusLine)) && !bytes.HasPrefix([]byte(statusLine), line) {
		line = nil
	}
	_, err := f.to.Write(f.last[:len(f.last)-len(line)])
	f.last = bytes.Clone(line)
	return len(p), err
}

// end returns the status, or writes the last line if it is not a status.
func (f *statusFilter) end() int {
	text, _ := strings.CutPrefix(string(f.last), statusLine)
	status, err := strconv.Atoi(strings.TrimSuffix(text, "\n"))
	if err != nil {
		_, _ = f.to.Write(f.last)
	}
	return status
}

// libraryVersion returns the version of the library in a program; "" if it is not a released one.
func libraryVersion(info *debug.BuildInfo) string {
	for _, m := range info.Deps {
		if m.Path == library && m.Replace == nil && strings.HasPrefix(m.Version, "v") {
			return m.Version
		}
	}
	return ""
}

// generatorFlags are the flags of the generator, for completion.
var generatorFlags = []complete.Candidate{
	{Word: "-schema", Help: "the root file of a schema"},
	{Word: "-known", Help: "use the older releases of QEMU as well"},
	{Word: "-root", Help: "the folder that includes must stay below"},
	{Word: "-target", Help: "qmp or qga"},
	{Word: "-package", Help: "the name of the Go package"},
	{Word: "-out", Help: "the folder to write to"},
	{Word: "-release", Help: "the release of the newest schema"},
	{Word: "-descriptions", Help: "a folder of descriptions"},
	{Word: "-docs", Help: "with QEMU's own documentation"},
	{Word: "-devices", Help: "write types of devices"},
	{Word: "-all-devices", Help: "of all devices"},
	{Word: "-check", Help: "write nothing, compare"},
}

// generator completes the generator's flags and their values.
func (c *completion) generator(args []string, last string) []complete.Candidate {
	given := generatorFlags
	if len(args) > 0 {
		switch strings.TrimLeft(args[len(args)-1], "-") {
		case "schema", "root", "out", "descriptions":
			return c.files(args, last)
		case "release":
			return c.versions(args, last)
		case "package":
			return nil
		case "target":
			given = []complete.Candidate{{Word: "qmp"}, {Word: "qga"}}
		}
	}
	return slices.DeleteFunc(slices.Clone(given), func(f complete.Candidate) bool { return !strings.HasPrefix(f.Word, last) })
}

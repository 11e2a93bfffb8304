package cmdline

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/qmp"
)

// outputShown is how much of a program's output an error repeats.
const outputShown = 200

// Version asks one of QEMU's programs, such as qemu-system-x86_64, for its version: it runs
// the program with --version.
func Version(ctx context.Context, binary string) (qmp.Version, error) {
	_, v, err := ask(ctx, binary)
	return v, err
}

// Command returns the command that runs a program with arguments, written by [Args] or
// [StorageDaemon]. It asks the program for its version; ctx limits that question,
// not the command.
func Command(ctx context.Context, binary string, args ...Arg) (*exec.Cmd, error) {
	name, v, err := ask(ctx, binary)
	if err != nil {
		return nil, err
	}
	write := Args
	if name == "qemu-storage-daemon" {
		write = StorageDaemon
	}
	words, err := write(v, args...)
	if err != nil {
		return nil, err
	}
	return exec.Command(binary, words...), nil
}

// ask asks a program for its name and version.
func ask(ctx context.Context, binary string) (name string, v qmp.Version, err error) {
	cmd := exec.CommandContext(ctx, binary, "--version")
	cmd.WaitDelay = time.Second // a child process of the program may keep its output open
	out, err := cmd.Output()
	file := filepath.Base(binary)
	if cause := context.Cause(ctx); cause != nil {
		err = ctx.Err()
		if !errors.Is(cause, err) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
	}
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		return "", v, fmt.Errorf("cmdline: %s --version: %w: %s", file, err, printable.Start(exit.Stderr, outputShown))
	}
	if err != nil {
		return "", v, fmt.Errorf("cmdline: %s --version: %w", file, err)
	}
	name, v, ok := parseVersion(string(out))
	if !ok {
		return "", v, fmt.Errorf("cmdline: %s --version does not say which QEMU it is: %s", file, printable.Start(out, outputShown))
	}
	return name, v, nil
}

// parseVersion reads the first line of a text such as "QEMU emulator version 7.2.22 (Debian 1:7.2)".
func parseVersion(text string) (name string, v qmp.Version, ok bool) {
	line, _, _ := strings.Cut(text, "\n")
	name, line, found := strings.Cut(strings.TrimSpace(line), " version ")
	number, rest, _ := strings.Cut(line, " ")
	number, _, _ = strings.Cut(number, "-") // 7.2.0-rc1
	parts := strings.Split(number, ".")
	if !found || len(parts) != 3 {
		return "", v, false
	}
	for i, into := range []*int{&v.Major, &v.Minor, &v.Micro} {
		n, err := strconv.ParseUint(parts[i], 10, 16)
		if err != nil {
			return "", v, false
		}
		*into = int(n)
	}
	v.Package = strings.TrimSuffix(strings.TrimPrefix(rest, "("), ")")
	return name, v, true
}

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

// outputShown is how much of what a program says an error repeats.
const outputShown = 200

// Version asks a program of QEMU's, such as qemu-system-x86_64, for its version: it runs
// it with --version.
func Version(ctx context.Context, binary string) (qmp.Version, error) {
	cmd := exec.CommandContext(ctx, binary, "--version")
	cmd.WaitDelay = time.Second // a child of its own may hold its output open
	out, err := cmd.Output()
	name := filepath.Base(binary)
	if cause := context.Cause(ctx); cause != nil {
		err = ctx.Err()
		if !errors.Is(cause, err) {
			err = fmt.Errorf("%w: %w", err, cause)
		}
	}
	if exit, failed := errors.AsType[*exec.ExitError](err); failed {
		return qmp.Version{}, fmt.Errorf("cmdline: %s --version: %w: %s", name, err, printable.Start(exit.Stderr, outputShown))
	}
	if err != nil {
		return qmp.Version{}, fmt.Errorf("cmdline: %s --version: %w", name, err)
	}
	v, ok := parseVersion(string(out))
	if !ok {
		return qmp.Version{}, fmt.Errorf("cmdline: %s --version does not say which QEMU it is: %s", name, printable.Start(out, outputShown))
	}
	return v, nil
}

// parseVersion reads the first line of a text such as "QEMU emulator version 7.2.22 (Debian 1:7.2)".
func parseVersion(text string) (v qmp.Version, ok bool) {
	line, _, _ := strings.Cut(text, "\n")
	_, line, found := strings.Cut(strings.TrimSpace(line), " version ")
	if !found {
		return v, false
	}
	number, rest, _ := strings.Cut(line, " ")
	number, _, _ = strings.Cut(number, "-") // 7.2.0-rc1
	parts := strings.Split(number, ".")
	if len(parts) != 3 {
		return v, false
	}
	for i, into := range []*int{&v.Major, &v.Minor, &v.Micro} {
		n, err := strconv.ParseUint(parts[i], 10, 16)
		if err != nil {
			return v, false
		}
		*into = int(n)
	}
	v.Package = strings.TrimSuffix(strings.TrimPrefix(rest, "("), ")")
	return v, true
}

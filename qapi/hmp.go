package qapi

import (
	"context"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/internal/refusal"
	"github.com/goqapi/goqapi/qmp"
)

// HMP makes the server execute a line of its human monitor, and returns what this prints,
// with "\n" at the ends of lines. Use it for what no command of QMP can do: the text
// differs between releases.
//
// The monitor's errors are text like any other. Those that HMP recognises are returned as a
// [*qmp.Error], in addition to the text: lines that begin with "Error: ", messages that the
// line itself is wrong, and a text that [IsNotFound] or a similar function recognises, if
// nothing else was printed. Command of the error is the first word of the line.
func HMP(ctx context.Context, c *Client, line string) (string, error) {
	text, err := c.HumanMonitorCommand(ctx, HumanMonitorCommandArgs{CommandLine: line})
	if err != nil {
		return "", err
	}
	text = strings.ReplaceAll(text, "\r\n", "\n")
	command, _, _ := strings.Cut(strings.TrimSpace(line), " ")
	if refused := hmpError(command, text); refused != nil {
		return text, fmt.Errorf("qapi: HMP: %w", refused)
	}
	return text, nil
}

// hmpErrors are what the monitor prints for an error, in addition to lines that begin with "Error: ".
var hmpErrors = []string{
	"invalid parameter: *", "invalid CPU index", "unknown event \"*\"", "*: Cannot access memory",
	"user mode network stack not in use", "Invalid boot device *", "Audiodev '*' not found", "audiodev '*' not found",
	"id or pci device path is invalid or device not found. *", "Mouse at index '*' not found",
}

// hmpError returns the error that a command printed, nil if it was none.
func hmpError(command, text string) *qmp.Error {
	var lines []string
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if desc, failed := strings.CutPrefix(line, "Error: "); failed {
			return &qmp.Error{Command: command, Class: qmp.ClassGenericError, Desc: desc}
		}
		if !strings.HasPrefix(line, "warning: ") {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	e := &qmp.Error{Command: command, Class: qmp.ClassGenericError, Desc: lines[0]}
	switch {
	case strings.HasPrefix(e.Desc, "unknown command: "):
		e.Class = qmp.ClassCommandNotFound
	case refusal.Like(lines[len(lines)-1], `Try "help *" for more information`):
	case len(lines) > 1 || refusal.Of(e) == refusal.Other && !likeAny(e.Desc, hmpErrors):
		return nil
	}
	return e
}

func likeAny(text string, patterns []string) bool {
	for _, p := range patterns {
		if refusal.Like(text, p) {
			return true
		}
	}
	return false
}

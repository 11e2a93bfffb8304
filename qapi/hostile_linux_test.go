//go:build linux && !race

package qapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/qga"
)

// fill makes a text of many values.
func fill(begin, middle, end string) func() string {
	return func() string {
		return begin + strings.Repeat(middle+",", replySize()/(len(middle)+1)) + middle + end
	}
}

// replySize is about how many bytes a reply has: 16 MiB with QAPI_LONG.
func replySize() int {
	if os.Getenv("QAPI_LONG") != "" {
		return 16 << 20
	}
	return 2 << 20
}

// captured makes a long list of what a real server listed.
func captured(t testing.TB, command string) string {
	t.Helper()
	var reply struct{ Return []json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(corpus.Read(t, "captures", "10.0", command+".json")), &reply))
	require.NotEmpty(t, reply.Return)
	var all [][]byte
	for size := 0; size < replySize(); {
		for _, element := range reply.Return {
			all = append(all, element)
			size += len(element)
		}
	}
	return "[" + string(bytes.Join(all, []byte(","))) + "]"
}

// deep returns a value that is nested n levels deep.
func deep(n int, open, value, end string) string {
	return strings.Repeat(open, n) + value + strings.Repeat(end, n)
}

// A hostile reply is written to take much more memory or time than its length suggests.
type hostile struct {
	name string
	text func() string
	call func(context.Context, *qapi.Client) error
	ok   bool // it is decoded within the limits, even if it is long
}

// execute decodes a reply into a value of a user's own type.
func execute[T any](ctx context.Context, c *qapi.Client) error {
	var x T
	return c.Conn().Execute(ctx, "x", nil, &x)
}

// typed makes a call of a command with a result.
func typed[R any](command func(*qapi.Client, context.Context) (R, error)) func(context.Context, *qapi.Client) error {
	return func(ctx context.Context, c *qapi.Client) error {
		_, err := command(c, ctx)
		return err
	}
}

// typedWith is typed for a command whose arguments can be left out.
func typedWith[A, R any](command func(*qapi.Client, context.Context, ...A) (R, error)) func(context.Context, *qapi.Client) error {
	return typed(func(c *qapi.Client, ctx context.Context) (R, error) { return command(c, ctx) })
}

var (
	nodes      = typedWith((*qapi.Client).QueryNamedBlockNodes)
	blockStats = typedWith((*qapi.Client).QueryBlockstats)
)

func monitor(ctx context.Context, c *qapi.Client) error {
	_, err := c.HumanMonitorCommand(ctx, qapi.HumanMonitorCommandArgs{})
	return err
}

func diskStats(ctx context.Context, c *qapi.Client) error {
	_, err := qga.NewClient(c.Conn()).GuestGetDiskstats(ctx)
	return err
}

var hostileReplies = []hostile{
	{"nodes", fill(`[`, `{}`, `]`), nodes, false},
	{"nodes with all that is optional", fill(`[`, `{"image":{"format-specific":{"type":"luks","data":{}},"limits":{},"backing-image":{}}}`, `]`), nodes, false},
	{"one node with many children", fill(`[{"children":[`, `{}`, `]}]`), nodes, false},
	{"many short lists", fill(`[`, `{"children":[{}],"dirty-bitmaps":[{}]}`, `]`), nodes, false},
	{"long names", fill(`[`, `{"`+strings.Repeat(`\u0061`, 1000)+`":{"`+strings.Repeat(`\u0061`, 1000)+`":1}}`, `]`), nodes, true},
	{"long texts", fill(`[`, `{"file":"`+strings.Repeat(`\n`, 1000)+`"}`, `]`), nodes, true},
	{"block statistics", fill(`[`, `{}`, `]`), blockStats, false},
	{"block statistics, nested", fill(`[`, deep(9000, `{"backing":`, `{}`, `}`), `]`), blockStats, false},
	{"unknown members, nested", fill(`[`, deep(4000, `{"new":[`, `{}`, `]}`), `]`), blockStats, true},
	{"disk statistics of a guest", fill(`[`, `{}`, `]`), diskStats, false},
	{"disk statistics of a guest, with what is optional", fill(`[`, `{"stats":{"read-sectors":1,"read-ios":1,"read-merges":1,"write-sectors":1}}`, `]`), diskStats, true},
	{"entries of a schema", fill(`[`, `{}`, `]`), typed((*qapi.Client).QueryQMPSchema), false},
	{"entries with a tag", fill(`[`, `{"meta-type":"enum"}`, `]`), typed((*qapi.Client).QueryQMPSchema), false},
	{"one large entry", fill(`[{"members":[`, `{}`, `],"meta-type":"object"}]`), typed((*qapi.Client).QueryQMPSchema), false},
	{"unions in unions", fill(`[`, deep(4000, `{"file":`, `"x"`, `,"driver":"raw"}`), `]`), execute[[]qapi.BlockdevOptions], false},
	{"a text", func() string { return `"` + strings.Repeat(`\u0041`, replySize()/6) + `"` }, monitor, true},
	{"anything", fill(`[`, `{}`, `]`), execute[any], false},
	{"anything, with a member", fill(`[`, `{"":0}`, `]`), execute[any], false},
	{"anything, lists", fill(`[`, `[0]`, `]`), execute[any], false},
	{"anything, deep", fill(`[`, deep(9000, `[`, ``, `]`), `]`), execute[any], false},
	{"JSON", fill(`[`, `{}`, `]`), execute[json.RawMessage], true},
	{"pieces of JSON", fill(`[`, `0`, `]`), execute[[]json.RawMessage], false},
	{"a map", fill(`{`, `"a":{}`, `}`), execute[map[string]map[string]string], false},
	{"lists in a user's type", fill(`[`, `[{}]`, `]`), execute[[][]struct{ A, B, C, D, E *string }], false},
	{"a user's list of nodes", fill(`[`, `{}`, `]`), execute[[]qapi.BlockDeviceInfo], false},
	{"a user's list of unions", fill(`[`, `{"data":{},"type":"luks"}`, `]`), execute[[]qapi.ImageInfoSpecific], false},
	{"a user's maps in a list", fill(`[`, `{"a":{}}`, `]`), execute[[]map[string]struct{ A [10]int }], false},
}

// TestHostileReplies checks that hostile replies are decoded, or are an error, in
// little memory. With QAPI_LONG they have 16 MiB.
func TestHostileReplies(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it decodes a hundred megabytes")
	}
	for _, h := range hostileReplies {
		t.Run(h.name, func(t *testing.T) {
			err := decodeIn(t, h.text(), min(452<<20, 100<<20+24*replySize()), h.call)
			if h.ok {
				require.NoError(t, err)
			} else if err != nil || replySize() > 8<<20 {
				require.ErrorContains(t, err, "MiB of memory, which is the limit for that much text")
			}
		})
	}
}

// TestLongReplies has replies as servers really send them, only longer: they are far
// from the limit, also when decoded into a user's types.
func TestLongReplies(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it decodes a hundred megabytes")
	}
	for _, c := range []struct {
		command     string
		typed, user func(context.Context, *qapi.Client) error
	}{
		{"query-qmp-schema", typed((*qapi.Client).QueryQMPSchema), execute[[]qapi.SchemaInfo]},
		{"query/query-named-block-nodes", nodes, execute[[]qapi.BlockDeviceInfo]},
		{"query/query-block", typedWith((*qapi.Client).QueryBlock), execute[any]},
		{"query/query-blockstats", blockStats, execute[[]qapi.BlockStats]},
		{"query/query-cpu-definitions", typed((*qapi.Client).QueryCPUDefinitions), execute[[]map[string]any]},
		{"query-commands", typed((*qapi.Client).QueryCommands), execute[[]qapi.CommandInfo]},
	} {
		t.Run(c.command, func(t *testing.T) {
			text := captured(t, c.command)
			require.NoError(t, decodeIn(t, text, 8<<20+12*replySize(), c.typed))
			require.NoError(t, decodeIn(t, text, 8<<20+12*replySize(), c.user))
		})
	}
}

// decodeIn makes a call with a reply, and fails if decoding takes more memory than limit.
func decodeIn(t *testing.T, reply string, limit int, call func(context.Context, *qapi.Client) error) error {
	t.Helper()
	c := answering(t, `{"return": `+reply+`}`)
	before := resetPeak(t) // what other tests have left in memory
	begin := time.Now()
	err := call(t.Context(), c)
	taken := peak(t) - before
	t.Logf("%v, %d MiB: %.200v", time.Since(begin).Round(time.Millisecond), taken>>20, err)
	assert.Less(t, taken, limit, "bytes of memory at the peak")
	return err
}

// resetPeak makes peak count from now on, and returns its present value.
func resetPeak(t *testing.T) int {
	t.Helper()
	debug.FreeOSMemory()
	require.NoError(t, os.WriteFile("/proc/self/clear_refs", []byte("5"), 0))
	return peak(t)
}

// peak returns the largest number of bytes of memory that the process has had.
func peak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	m := regexp.MustCompile(`VmHWM:\s*(\d+) kB`).FindSubmatch(status)
	require.NotNil(t, m)
	kilobytes, err := strconv.Atoi(string(m[1]))
	require.NoError(t, err)
	return kilobytes << 10
}

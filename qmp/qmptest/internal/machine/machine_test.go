package machine_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/machine"
	"github.com/goqapi/goqapi/qmp/qmptest/internal/release"
	"github.com/goqapi/goqapi/schema/qemu"
)

// A vm is a machine without a server: it returns what a server would send.
type vm struct {
	t        *testing.T
	rel      *release.Release
	machine  *machine.Machine
	commands map[string]machine.Handler
	said     []string
	stopped  bool
	replied  func() // is called between a reply and what comes after it; nil: nothing is
}

func newVM(t *testing.T, name string) *vm {
	t.Helper()
	rel, err := release.Load(name, qemu.QMP)
	require.NoError(t, err)
	v := &vm{t: t, rel: rel}
	v.machine = machine.New(v)
	v.commands = v.machine.Commands()
	return v
}

func notExecuted(what string) error {
	return &qmp.Error{Class: qmp.ClassGenericError, Desc: "nothing executes " + what}
}

func (v *vm) Release() string { return v.rel.Name }
func (v *vm) Stop()           { v.stopped = true }

func (v *vm) NotExecuted(what string) error { return notExecuted(what) }

// Emit notes an event, which has to fit the schema.
func (v *vm) Emit(e qapi.Event) {
	text, err := json.Marshal(e, json.Deterministic(true))
	require.NoError(v.t, err)
	data, err := v.rel.Data(v.rel.Event(e.EventName()), release.Value{JSON: text, Typed: true})
	require.NoError(v.t, err, "event %s", e.EventName())
	if data == nil {
		data = []byte("{}")
	}
	v.said = append(v.said, e.EventName()+" "+string(canonical(v.t, data)))
}

func canonical(t *testing.T, text []byte) []byte {
	t.Helper()
	require.NoError(t, (*jsontext.Value)(&text).Canonicalize())
	return text
}

// A request is one to a vm.
type request struct {
	args  string
	file  *os.File // is passed with it; can be nil
	after []func()
}

func (r *request) Decode(v any) error {
	if r.args == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(r.args), v); err != nil {
		return &qmp.Error{Class: qmp.ClassGenericError, Desc: err.Error()}
	}
	return nil
}

func (r *request) TakeFile() *os.File { return r.file }

func (r *request) After(f func()) { r.after = append(r.after, f) }

// execute executes a command and returns what a server would send: events, and the reply,
// which has to fit the schema, or the error.
func (v *vm) execute(command string, args ...string) []string {
	v.t.Helper()
	h := v.commands[command]
	require.NotNil(v.t, h, command)
	req := &request{}
	if len(args) > 0 {
		req.args = args[0]
	}
	v.said = nil
	if refusal := v.rel.Refuse(v.rel.Command(command), []byte(cmp.Or(req.args, "{}"))); refusal != "" {
		return []string{"error GenericError: " + refusal} // as the server does
	}
	result, err := h(v.t.Context(), req)
	if err != nil {
		var refusal *qmp.Error
		require.ErrorAs(v.t, err, &refusal)
		require.NoError(v.t, v.rel.CheckClass(refusal.Class))
		v.said = append(v.said, fmt.Sprintf("error %s: %s", refusal.Class, refusal.Desc))
	} else {
		v.said = append(v.said, "return "+v.fit(command, result))
	}
	if v.replied != nil {
		v.replied()
	}
	for _, f := range req.after {
		f()
	}
	return v.said
}

func (v *vm) fit(command string, result any) string {
	v.t.Helper()
	if result == nil {
		result = struct{}{}
	}
	text, err := json.Marshal(result)
	require.NoError(v.t, err)
	typed := strings.Contains(fmt.Sprintf("%T", result), "qapi.") // as the server has it
	text, err = v.rel.Reply(v.rel.Command(command), release.Value{JSON: text, Typed: typed})
	require.NoError(v.t, err, "reply to %s", command)
	return string(canonical(v.t, text))
}

// ok executes a command that must succeed without events.
func (v *vm) ok(command string, args ...string) {
	v.t.Helper()
	require.Equal(v.t, []string{"return {}"}, v.execute(command, args...), "%s %s", command, args)
}

// lines returns the commands of all dialogues.
func lines(t *testing.T) (all []string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
				all = append(all, line)
			}
		}
	}
	return all
}

// TestAnyOrder executes the commands in random orders, in each release: all replies and events
// have to fit the schema of the release.
func TestAnyOrder(t *testing.T) {
	all := lines(t)
	for _, name := range short.Ends(qemu.Releases()) {
		for seed := range uint64(3) {
			order := slices.Clone(all)
			if seed > 0 {
				rand.New(rand.NewPCG(seed, 0)).Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			}
			v := newVM(t, name)
			for _, line := range append(order, order...) {
				command, args, _ := strings.Cut(line, " ")
				v.execute(command, cmp.Or(args, "{}"))
			}
		}
	}
}

func TestCommandsExistInQEMU(t *testing.T) {
	v := newVM(t, "11.1")
	known := map[string]bool{}
	for _, name := range qemu.Releases() {
		rel, err := release.Load(name, qemu.QMP)
		require.NoError(t, err)
		for command := range v.commands {
			known[command] = known[command] || rel.Command(command) != nil
		}
	}
	for name := range v.commands {
		assert.True(t, known[name], name)
	}
}

// TestManyClients has many clients that plug and unplug devices at the same time.
func TestManyClients(t *testing.T) {
	m := machine.New(quiet{})
	commands := m.Commands()
	do := func(command, args string) error {
		req := &request{args: args}
		result, err := commands[command](t.Context(), req)
		for _, f := range req.after {
			f()
		}
		if err == nil {
			_, err = json.Marshal(result) // as a server does, in its own time
		}
		return err
	}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprintf("d%d", i)
			assert.NoError(t, do("blockdev-add", `{"driver":"null-co","node-name":"t`+name+`"}`))
			for range 20 {
				assert.NoError(t, do("blockdev-add", `{"driver":"null-co","node-name":"`+name+`"}`))
				assert.NoError(t, do("device_add", `{"driver":"scsi-hd","id":"`+name+`","drive":"`+name+`"}`))
				assert.Error(t, do("blockdev-del", `{"node-name":"`+name+`"}`))
				assert.NoError(t, do("blockdev-open-tray", `{"id":"cd0"}`))
				assert.NoError(t, do("blockdev-backup", `{"job-id":"`+name+`","device":"`+name+`","target":"t`+name+`","sync":"full","speed":1}`))
				assert.NoError(t, do("query-block", ""))
				assert.NoError(t, do("query-block-jobs", ""))
				assert.NoError(t, do("blockdev-close-tray", `{"id":"cd0"}`))
				assert.NoError(t, do("job-cancel", `{"id":"`+name+`"}`))
				assert.NoError(t, do("query-named-block-nodes", ""))
				assert.NoError(t, do("device_del", `{"id":"`+name+`"}`))
				assert.NoError(t, do("blockdev-del", `{"node-name":"`+name+`"}`))
			}
		})
	}
	all.Wait()
	left := func(command, args string) (list []jsontext.Value) {
		result, err := commands[command](t.Context(), &request{args: args})
		require.NoError(t, err)
		text, err := json.Marshal(result)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, &list))
		return list
	}
	assert.Len(t, left("query-named-block-nodes", ""), 8)
	assert.Empty(t, left("query-jobs", ""))
	assert.Len(t, left("qom-list", `{"path":"/machine/peripheral"}`), 3, "those there from the start")
}

// quiet is a host that drops events.
type quiet struct{}

func (quiet) Emit(qapi.Event) {}
func (quiet) Release() string { return "11.1" }
func (quiet) Stop()           {}

func (quiet) NotExecuted(what string) error { return notExecuted(what) }

func TestRunState(t *testing.T) {
	v := newVM(t, "11.1")
	assert.Equal(t, []string{`return {"running":false,"status":"prelaunch"}`}, v.execute("query-status"))
	v.ok("stop")
	assert.Equal(t, []string{`RESUME {}`, `return {}`}, v.execute("cont"))
	v.ok("cont")
	assert.Equal(t, []string{`return {"running":true,"status":"running"}`}, v.execute("query-status"))
	assert.Equal(t, []string{`STOP {}`, `return {}`}, v.execute("stop"))
	assert.Equal(t, []string{`return {"running":false,"status":"paused"}`}, v.execute("query-status"))
	assert.Equal(t, []string{`RESET {"guest":false,"reason":"host-qmp-system-reset"}`, `return {}`}, v.execute("system_reset"))
	assert.Equal(t, []string{`POWERDOWN {}`, `return {}`}, v.execute("system_powerdown"))
	assert.False(t, v.stopped, "it does not run")
	v.execute("cont")
	assert.Equal(t, []string{`POWERDOWN {}`, `return {}`, `SHUTDOWN {"guest":true,"reason":"guest-shutdown"}`}, v.execute("system_powerdown"))
	assert.True(t, v.stopped)
}

func TestQuit(t *testing.T) {
	for release, want := range map[string][]string{
		"5.2":  {`return {}`, `SHUTDOWN {"guest":false,"reason":"host-qmp-quit"}`},
		"11.1": {`SHUTDOWN {"guest":false,"reason":"host-qmp-quit"}`, `return {}`},
	} {
		v := newVM(t, release)
		assert.Equal(t, want, v.execute("quit"), release)
		assert.True(t, v.stopped, release)
	}
}

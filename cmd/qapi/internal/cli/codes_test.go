package cli

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// TestExitCodes checks that each kind of failure ends with its code, and with a text that says what
// was wrong.
func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(w *world)
		line    string
		code    int
		text    string // in what is printed
	}{
		{"success", nil, "call web01 query-status", exit.OK, `"status":`},
		{"success of several", nil, "call @web* query-status", exit.OK, `{"vm":"web02","return":`},
		{"help", nil, "call --help", exit.OK, "Executes a QMP command"},

		{"QEMU refuses", nil, "call web01 eject id=nope", exit.Failed, "qapi: eject: Device 'nope' not found"},
		{"one of several refuses", func(w *world) { w.old.Fail("stop", "GenericError", "no") }, "call @web* stop", exit.Failed, `{"vm":"web02","error":"stop: no"}`},
		{"an unknown command", nil, "call web01 query-statsu", exit.Failed, "did you mean query-status?"},
		{"a command of a later release", nil, "call web02 query-stats target=vm", exit.Failed, "(CommandNotFound); it is in QEMU 7.1 and later\n"},
		{"not supported", nil, "supports web02 blockdev-add/driver=nvme-io_uring", exit.Failed, `no   "blockdev-add/driver=nvme-io_uring": driver has no value`},
		{"supported", nil, "supports web01 blockdev-add/driver=nvme-io_uring", exit.OK, "yes  blockdev-add/driver=nvme-io_uring"},
		{"HMP fails", nil, "hmp web01 nonsense", exit.Failed, "unknown command"},
		{"a job fails", failingJob, "job wait web01 new", exit.Failed, "qapi: create \"new\": "},
		{"no such job", nil, "job cancel web01 nope", exit.Failed, "the server has no such job"},
		{"the agent refuses", func(w *world) { w.agent.Fail("guest-file-close", "GenericError", "no") }, "agent web01 call guest-file-close handle=77", exit.Failed, "qapi: guest-file-close: "},
		{"a migration fails", func(w *world) { w.vm.FailMigration("refused") }, "migrate web01 tcp:localhost:1", exit.Failed, "qapi: migration: failed: refused"},

		{"no command", nil, "", exit.Usage, "Usage:"},
		{"an unknown command of ours", nil, "cal web01 query-status", exit.Usage, "did you mean call?"},
		{"an unknown flag", nil, "call web01 stop --quick", exit.Usage, "unknown flag: --quick"},
		{"too few arguments", nil, "call web01", exit.Usage, "wrong number of arguments: 1"},
		{"an unknown command for jobs", nil, "job frob web01", exit.Usage, `unknown command "frob" of qapi job; it has cancel, `},
		{"an unknown command for an agent", nil, "agent web01 frob", exit.Usage, `unknown command "frob" of qapi agent; it has call, `},
		{"and before its machine", nil, "agent frob web01", exit.Usage, `unknown command "frob" of qapi agent; it has call, `},
		{"a misspelt command for an agent", nil, "agent web01 frezee", exit.Usage, `unknown command "frezee" of qapi agent; did you mean freeze?`},
		{"and before the machine", nil, "agent frezee web01", exit.Usage, `unknown command "frezee" of qapi agent; did you mean freeze?`},
		{"an unknown command without a machine", nil, "agent frob", exit.Usage, `unknown command "frob" of qapi agent; it has call, `},
		{"a release of a server", nil, "call web01 query-status -r 7.2", exit.Usage, "--release needs --dry-run: a server has its own release"},
		{"a member that an event does not have", nil, "call web01 stop --wait STOP:foo=1", exit.Usage, "qapi: STOP has no member \"foo\"\n"},
		{"JSON for a command", nil, `call web01 {"execute":"stop"}`, exit.Usage, "the command is JSON: give its name"},
		{"JSON for the agent's command", nil, `agent web01 call {"execute":"guest-ping"}`, exit.Usage, "the command is JSON: give its name"},
		{"a misspelt value", nil, "call web01 blockdev-add driver=flie", exit.Usage, "qapi: driver=flie: did you mean file?"},
		{"a misspelt event", nil, "call web01 stop --wait SOTP", exit.Usage, "there is no event SOTP: did you mean STOP?"},
		{"a misspelt member of an event", nil, "events web01 --until DEVICE_DELETED:devcie=x", exit.Usage, `did you mean "device"?`},
		{"a bad filter", nil, "call web01 query-status --jq .[", exit.Usage, "--jq: unexpected EOF"},
		{"a bad pattern", nil, "call @[ stop", exit.Usage, "syntax error in pattern"},
		{"a bad address", nil, "call unix: stop", exit.Usage, "the path is missing"},
		{"several where one is needed", nil, "hmp @web* info", exit.Usage, "names 2 machines"},
		{"a secret", nil, "call web01 set_password protocol=vnc password=x", exit.Usage, "qapi: password is a secret, and other users can see arguments: use password=@FILE or password=-"},
		{"a secret of HMP", nil, "hmp web01 set_password vnc x", exit.Usage, "has a secret"},
		{"a file that is not there", nil, "call web01 getfd fdname=x --file x=/none", exit.Usage, "/none: no such file"},
		{"not out of band", nil, "call web01 stop --oob", exit.Usage, "stop cannot be executed out of band; those that can are "},
		{"a bad migration", nil, "migrate web01 nope:x", exit.Usage, "nope"},
		{"a bad time", nil, "call web01 stop --timeout soon", exit.Usage, "soon"},

		{"nobody listens", nil, "call /none/m.sock stop", exit.NoConnection, "qapi: connect to /none/m.sock: dial unix:/none/m.sock: no such file or directory\n"},
		{"no such machine", nil, "call web1 stop", exit.NoConnection, `no machine is named "web1"; "qapi ps" shows those of this host; did you mean "web01"?`},
		{"no such machines", nil, "call @db* stop", exit.NoConnection, "no machine's name matches"},
		{"no such process", nil, "call PID:3 stop", exit.NoConnection, "process 3 is not a QEMU"},
		{"no agent", nil, "agent web02 info", exit.NoConnection, "no guest agent"},
		{"a closed greeting", func(w *world) { w.vm.FaultGreeting(qmptest.HangUp()) }, "call web01 stop", exit.NoConnection, "connect to web01"},

		{"lost", func(w *world) { w.vm.Fault("stop", qmptest.CutReply(0)) }, "call web01 stop", exit.Lost, "qapi: stop: "},
		{"lost while it waits", func(w *world) { w.vm.Fault("stop", qmptest.HangUp()) }, "call web01 stop --wait SHUTDOWN", exit.Lost, "wait for SHUTDOWN"},
		{"one of several is lost", func(w *world) { w.vm.Fault("stop", qmptest.CutReply(0)) }, "call @web* stop", exit.Lost, `{"vm":"web01","error":"stop: `},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			if c.prepare != nil {
				c.prepare(w)
			}
			code, out, errs := w.run("", words(c.line)...)
			assert.Equal(t, c.code, code, "%s%s", out, errs)
			assert.Contains(t, out+errs, c.text)
			if code == exit.Usage {
				assert.Zero(t, len(w.vm.Calls())+len(w.old.Calls()), "something was sent")
			}
		})
	}
}

// The socket of a machine's agent is not its monitor: the tool does not wait for a greeting there.
func TestAgentIsNotAMonitor(t *testing.T) {
	w := newWorld(t)
	code, _, errs := w.run("", "call", w.found[0].Agent, "stop")
	assert.Equal(t, exit.NoConnection, code)
	assert.Equal(t, "qapi: connect to "+w.found[0].Agent+": this is the socket of the guest agent of web01: use \"qapi agent\"\n", errs)
	code, _, errs = w.run("", "agent", w.found[0].Agent, "call", "guest-ping")
	assert.Equal(t, exit.OK, code, errs)
}

// An interrupt ends a command that reads from a pipe that is never closed.
func TestInterruptedAtAPipe(t *testing.T) {
	for _, args := range [][]string{
		{"call", "web01", "set_password", "protocol=vnc", "password=-"},
		{"agent", "run", "--stdin", "web01", "cat"},
		{"agent", "put", "web01", "-", "/x"},
		{"agent", "freeze", "web01"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		in, other := io.Pipe()
		var errs strings.Builder
		w := newWorld(t)
		w.agent.Reply("guest-file-open", json.RawMessage("1"))
		w.agent.Reply("guest-file-close")
		a := w.app("", io.Discard, &errs)
		a.in = in
		go func() {
			_, _ = other.Write([]byte("x")) // it reads
			cancel()
		}()
		assert.Equal(t, exit.Interrupted, a.run(ctx, args), "%v: %s", args, errs.String())
		other.Close()
	}
}

// overCtx is a context whose deadline passes when a test says so, however fast the machine is.
type overCtx struct {
	ctx
	done chan struct{}
	end  func()
}

func newOverCtx(t *testing.T) *overCtx {
	o := &overCtx{ctx: t.Context(), done: make(chan struct{})}
	o.end = sync.OnceFunc(func() { close(o.done) })
	t.Cleanup(o.end)
	return o
}

func (o *overCtx) Done() <-chan struct{} { return o.done }

func (o *overCtx) Err() error {
	select {
	case <-o.done:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// Write ends the time as soon as something is printed.
func (o *overCtx) Write(text []byte) (int, error) {
	o.end()
	return len(text), nil
}

// TestTimeOver lets the time limit pass while the tool waits for different things.
func TestTimeOver(t *testing.T) {
	for line, c := range map[string]struct {
		during, text string // a command; "": when the result is printed
	}{
		"call web01 stop":                         {"stop", "qapi: stop: "},
		"call web01 query-status --wait SHUTDOWN": {"", "qapi: wait for SHUTDOWN: the time is over\n"},
		"job wait web01 slow":                     {"query-jobs", "qapi: the job slow goes on: qapi job wait web01 slow\nqapi: the time is over\n"},
	} {
		w := newWorld(t)
		slowJob(w)
		over := newOverCtx(t)
		if c.during != "" {
			was := w.vm.Handler(c.during)
			w.vm.Handle(c.during, func(ctx context.Context, r *qmptest.Request) (any, error) {
				over.end()
				if c.during == "stop" {
					<-ctx.Done() // it has no reply
				}
				return was(ctx, r)
			})
		}
		var errs strings.Builder
		code := w.app("", over, &errs).run(over, words(line))
		assert.Equal(t, exit.Timeout, code, "%s: %s", line, errs.String())
		assert.Contains(t, errs.String(), c.text)
	}
	// The flag --timeout sets such a limit.
	code, _, errs := newWorld(t).run("", words("events web01 --timeout 1ms")...)
	assert.Equal(t, exit.Timeout, code, errs)
}

// An endless filter ends with its context, before it uses up the memory of the host.
func TestEndlessFilter(t *testing.T) {
	f, err := parseFilter("repeat(1)")
	require.NoError(t, err)
	over := newOverCtx(t)
	over.end()
	_, err = f.run(over, []byte("{}"))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

// failingJob starts a job that fails.
func failingJob(w *world) {
	code, _, errs := w.run("", words("call web01 blockdev-create job-id=new options.driver=qcow2 options.file=nothing options.size=1M")...)
	require.Equal(w.t, exit.OK, code, errs)
}

// slowJob starts a job that takes long.
func slowJob(w *world) {
	for _, line := range []string{
		"call web01 blockdev-add driver=null-co node-name=a size=1G",
		"call web01 blockdev-add driver=null-co node-name=b size=1G",
		"call web01 blockdev-backup job-id=slow device=a target=b sync=full speed=1K",
	} {
		code, _, errs := w.run("", words(line)...)
		require.Equal(w.t, exit.OK, code, errs)
	}
}

// After an interrupt a job continues, and a message says so.
func TestInterruptedJobWait(t *testing.T) {
	w := newWorld(t)
	slowJob(w)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.vm.Handle("query-jobs", func(ctx context.Context, r *qmptest.Request) (any, error) {
		defer cancel() // it waits, or is about to
		return []qapi.JobInfo{{ID: "slow", Type: "backup", Status: "running", TotalProgress: 1}}, nil
	})
	code, _, errs := w.runCtx(ctx, "", "job", "wait", "web01", "slow")
	assert.Equal(t, exit.Interrupted, code, errs)
	assert.Contains(t, errs, "qapi: the job slow goes on: qapi job wait web01 slow\n")
	assert.Zero(t, w.vm.Count("job-cancel")+w.vm.Count("block-job-cancel"))
}

// TestInterrupted interrupts commands that wait.
func TestInterrupted(t *testing.T) {
	for _, line := range []string{"events web01", "call web01 stop --wait SHUTDOWN", "job watch web01"} {
		w := newWorld(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for _, command := range []string{"stop", "query-jobs"} {
			was := w.vm.Handler(command)
			w.vm.Handle(command, func(ctx context.Context, r *qmptest.Request) (any, error) {
				defer cancel()
				return was(ctx, r)
			})
		}
		if strings.HasPrefix(line, "events") {
			cancel()
		}
		code, _, errs := w.runCtx(ctx, "", words(line)...)
		assert.Equal(t, exit.Interrupted, code, "%s: %s", line, errs)
	}
}

// A misspelt event is not waited for in the shell, either.
func TestMisspeltEventInShell(t *testing.T) {
	code, _, errs := newWorld(t).run(":wait SOTP\n", "shell", "web01")
	assert.Equal(t, exit.Usage, code)
	assert.Contains(t, errs, "line 1: there is no event SOTP: did you mean STOP?\n")
}

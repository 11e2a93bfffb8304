package machine

import (
	"errors"
	"slices"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// A job works behind the replies.
//
// A job that takes no second at its limit of speed, or has none, has done its work right
// behind the reply of the command that has started it. Of others each query-jobs or
// query-block-jobs is a second later than the last: behind its reply the job is
// ahead by as many bytes.
type job struct {
	id           string
	kind         qapi.JobType
	block        bool // it is a block job
	status       qapi.JobStatus
	done, total  int64
	speed        int64
	autoFinalize bool
	autoDismiss  bool
	paused       bool // by the user
	completing   bool // asked to complete
	err          string

	nodes     []*node // that it keeps others from using
	target    *node   // the one of them that it writes to, and nobody else; nil: none
	bitmap    string  // of the first of them, that it uses; "": none
	group     int     // of jobs that stand or fall together; 0: it stands alone
	bad       int64   // what reading its source fails with, or else writing to its target; 0 if neither does
	untilTold bool    // it goes on when its work is done, until it is told to complete
	do        func() error
	finish    func() // makes its change at last
	release   func() // lets go of what it has brought along; nil: nothing
}

// mates are the jobs that stand or fall together with one, and itself, the newest first.
func (m *Machine) mates(j *job) []*job {
	if j.group == 0 {
		return []*job{j}
	}
	return slices.DeleteFunc(slices.Clone(m.jobs), func(other *job) bool { return other.group != j.group })
}

func (m *Machine) jobCommands() map[string]Handler {
	id := func(f func(*job, Request) error) func(qapi.JobCancelArgs, Request) error {
		return func(args qapi.JobCancelArgs, req Request) error {
			j := m.job(args.ID)
			if j == nil {
				return generic("Job not found")
			}
			return f(j, req)
		}
	}
	return map[string]Handler{
		"job-cancel":   change(m, id(m.cancel)),
		"job-pause":    change(m, id(m.pause)),
		"job-resume":   change(m, id(m.resume)),
		"job-complete": change(m, id(m.complete)),
		"job-finalize": change(m, id(m.finalize)),
		"job-dismiss":  change(m, id(m.dismiss)),
		"query-jobs":   handle(m, m.queryJobs),
	}
}

func (m *Machine) job(id string) *job {
	if i := slices.IndexFunc(m.jobs, func(j *job) bool { return j.id == id }); i >= 0 {
		return m.jobs[i]
	}
	return nil
}

// busy is why a node cannot be used: a job uses it.
func (m *Machine) busy(n *node) error {
	for _, j := range m.jobs {
		if j.status != qapi.JobStatusConcluded && slices.Contains(j.nodes, n) {
			return generic("Node '%s' is busy: block device is in use by block job: %s", n.name, j.kind)
		}
	}
	return nil
}

func (m *Machine) set(j *job, status qapi.JobStatus) {
	j.status = status
	m.host.Emit(qapi.JobStatusChangeEvent{ID: j.id, Status: status})
}

// unfit is why a job cannot have an id.
func (m *Machine) unfit(id string) error {
	switch {
	case !wellFormed(id):
		return generic("Invalid job ID '%s'", id)
	case m.job(id) != nil:
		return generic("Job ID '%s' already in use", id)
	}
	return nil
}

// stillborn tells of a job that fails before it begins, as QEMU does.
func (m *Machine) stillborn(j *job, err error) error {
	m.set(j, qapi.JobStatusCreated)
	m.set(j, qapi.JobStatusNull)
	return err
}

// start starts a job. Its work is done behind the reply.
func (m *Machine) start(j *job, req Request) error {
	if err := m.admit(j); err != nil {
		return err
	}
	m.begin(j, req)
	return nil
}

// admit adds a job that has not begun.
func (m *Machine) admit(j *job) error {
	if err := m.unfit(j.id); err != nil {
		return err
	}
	m.jobs = append([]*job{j}, m.jobs...)
	m.set(j, qapi.JobStatusCreated)
	return nil
}

func (m *Machine) begin(j *job, req Request) {
	m.set(j, qapi.JobStatusRunning)
	m.after(req, func() { m.run(j, false) })
}

// beginning is the step that begins a job that was admitted.
func (m *Machine) beginning(j *job) step {
	return step{
		commit: func() { m.set(j, qapi.JobStatusRunning) },
		work:   func() { m.run(j, false) },
		undo: func() {
			m.set(j, qapi.JobStatusAborting)
			m.set(j, qapi.JobStatusConcluded)
			if j.release != nil {
				j.release()
			}
			m.forget(j)
		},
	}
}

// run lets a job do its work: all of it, or what it does in a second.
func (m *Machine) run(j *job, second bool) {
	switch {
	case j.status != qapi.JobStatusRunning:
		return
	case j.do != nil:
		do := j.do
		j.do, j.done = nil, j.total
		if err := do(); err != nil {
			m.abort(j, description(err))
			return
		}
	case j.bad != 0:
		m.host.Emit(qapi.BlockJobErrorEvent{
			Device: j.id, Operation: j.failing(), Action: qapi.BlockErrorActionReport,
		})
		m.abort(j, reason(j.bad))
		return
	case j.speed == 0 || j.speed >= j.total: // within the first second
		j.done = j.total
	case second:
		j.done = min(j.done+j.speed, j.total)
	}
	switch {
	case j.done < j.total:
	case j.untilTold:
		m.set(j, qapi.JobStatusReady)
		m.host.Emit(qapi.BlockJobReadyEvent{Type: j.kind, Device: j.id, Len: j.total, Offset: j.done, Speed: j.speed})
	default:
		m.prepare(j)
	}
}

// failing is which operation fails.
func (j *job) failing() qapi.IOOperationType {
	if j.nodes[0].bad() != 0 {
		return qapi.IOOperationTypeRead
	}
	return qapi.IOOperationTypeWrite
}

// description is what the server says of an error.
func description(err error) string {
	if e, ok := errors.AsType[*qmp.Error](err); ok {
		return e.Desc
	}
	return err.Error()
}

// secondPasses for the jobs that need time.
func (m *Machine) secondPasses(req Request) {
	m.after(req, func() {
		for _, j := range slices.Clone(m.jobs) {
			m.run(j, true)
		}
	})
}

// prepare brings a job to where its change is made, or is waited for: when all that it
// stands or falls together with are as far.
func (m *Machine) prepare(j *job) {
	m.set(j, qapi.JobStatusWaiting)
	mates := m.mates(j)
	if slices.ContainsFunc(mates, func(j *job) bool { return j.status != qapi.JobStatusWaiting }) {
		return
	}
	for _, j := range mates {
		m.set(j, qapi.JobStatusPending)
		if !j.autoFinalize {
			m.host.Emit(qapi.BlockJobPendingEvent{Type: j.kind, ID: j.id})
		}
	}
	if !slices.ContainsFunc(mates, func(j *job) bool { return !j.autoFinalize }) {
		m.conclude(j)
	}
}

// conclude makes the change of a job, and of those that it stands or falls together with.
func (m *Machine) conclude(j *job) {
	for _, j := range m.mates(j) {
		if j.finish != nil {
			j.finish()
		}
		m.end(j, false)
	}
}

// abort ends a job for an error.
func (m *Machine) abort(j *job, why string) {
	j.err = why
	m.set(j, qapi.JobStatusAborting)
	m.fall(j, false)
}

// cancelled is the error of jobs that were.
const cancelled = "Operation canceled"

// abandon ends a job because somebody wants it.
func (m *Machine) abandon(j *job) {
	if j.paused {
		m.unpause(j)
	}
	j.err = cancelled
	m.set(j, qapi.JobStatusAborting)
	m.fall(j, true)
}

// fall ends a job that has failed, or was cancelled if that was wanted, and then those
// that fall with it.
func (m *Machine) fall(j *job, wanted bool) {
	mates := m.mates(j)
	j.group = 0
	m.end(j, wanted)
	for _, other := range mates {
		if other != j && other.status != qapi.JobStatusConcluded {
			other.group = 0
			m.abandon(other)
		}
	}
}

func (m *Machine) end(j *job, wanted bool) {
	switch {
	case !j.block:
	case wanted:
		m.host.Emit(qapi.BlockJobCancelledEvent{
			Type: j.kind, Device: j.id, Len: j.total, Offset: j.done, Speed: j.speed,
		})
	default:
		m.host.Emit(qapi.BlockJobCompletedEvent{
			Type: j.kind, Device: j.id, Len: j.total, Offset: j.done, Speed: j.speed, Error: j.problem(),
		})
	}
	m.set(j, qapi.JobStatusConcluded)
	if j.release != nil {
		j.release()
	}
	if j.autoDismiss {
		m.forget(j)
	}
}

func (m *Machine) forget(j *job) {
	m.jobs = slices.DeleteFunc(m.jobs, func(other *job) bool { return other == j })
	m.set(j, qapi.JobStatusNull)
}

// problem is what is told of a job's error; nil if it has none.
func (j *job) problem() *string {
	if j.err == "" {
		return nil
	}
	return new(j.err)
}

func (m *Machine) queryJobs(_ struct{}, req Request) (any, error) {
	all := []qapi.JobInfo{}
	for _, j := range m.jobs {
		all = append(all, qapi.JobInfo{
			ID: j.id, Type: j.kind, Status: j.status,
			CurrentProgress: j.done, TotalProgress: j.total, Error: j.problem(),
		})
	}
	m.secondPasses(req)
	return all, nil
}

func noBlockJob(id string) error {
	return inactive("Block job '%s' not found", id)
}

package machine

import (
	"errors"
	"slices"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// A job does its work after replies.
//
// If it does not have a speed limit, or takes less than a second with it, it does its work right
// after the reply to the command that starts it. Otherwise a second passes after each reply to
// query-jobs or query-block-jobs, and the job advances by as many bytes.
type job struct {
	id           string
	kind         qapi.JobType
	block        bool // it is a block job
	status       qapi.JobStatus
	done, total  int64
	speed        int64
	autoFinalize bool
	autoDismiss  bool
	paused       bool // because of a command
	completing   bool // asked to complete
	err          string

	nodes            []*node // the nodes that nothing else can use while the job runs
	target           *node   // the one of nodes to which only this job writes; nil: none
	bitmap           string  // the bitmap of the first of nodes that the job uses; "": none
	group            int     // of jobs that succeed or fail together; 0: it is not in a group
	bad              int64   // the errno with which reading its source, or otherwise writing to its target, fails; 0: neither fails
	waitsForComplete bool    // after its work it goes on until the command to complete it comes
	do               func() error
	finish           func() // makes its change in the end
	release          func() // removes what it has added; nil: nothing
}

// jobsOfGroup returns the jobs of the group of a job, itself included, the newest first.
func (m *Machine) jobsOfGroup(j *job) []*job {
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

// busy returns why a node cannot be used: a job uses it.
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

// refuseID returns why a job cannot have an id.
func (m *Machine) refuseID(id string) error {
	switch {
	case !wellFormed(id):
		return generic("Invalid job ID '%s'", id)
	case m.job(id) != nil:
		return generic("Job ID '%s' already in use", id)
	}
	return nil
}

// failEarly sends the events of a job that fails before it begins, and returns err.
func (m *Machine) failEarly(j *job, err error) error {
	m.set(j, qapi.JobStatusCreated)
	m.set(j, qapi.JobStatusNull)
	return err
}

// start starts a job. Its work is done after the reply.
func (m *Machine) start(j *job, req Request) error {
	if err := m.admit(j); err != nil {
		return err
	}
	m.begin(j, req)
	return nil
}

// admit adds a job that has not begun.
func (m *Machine) admit(j *job) error {
	if err := m.refuseID(j.id); err != nil {
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

// beginning returns the step that begins a job that was admitted.
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
	case j.waitsForComplete:
		m.set(j, qapi.JobStatusReady)
		m.host.Emit(qapi.BlockJobReadyEvent{Type: j.kind, Device: j.id, Len: j.total, Offset: j.done, Speed: j.speed})
	default:
		m.prepare(j)
	}
}

// failing returns which operation fails.
func (j *job) failing() qapi.IOOperationType {
	if j.nodes[0].bad() != 0 {
		return qapi.IOOperationTypeRead
	}
	return qapi.IOOperationTypeWrite
}

// description returns what the server says of an error.
func description(err error) string {
	if e, ok := errors.AsType[*qmp.Error](err); ok {
		return e.Desc
	}
	return err.Error()
}

// secondPasses lets the jobs that need time do the work of one second.
func (m *Machine) secondPasses(req Request) {
	m.after(req, func() {
		for _, j := range slices.Clone(m.jobs) {
			m.run(j, true)
		}
	})
}

// prepare is called when a job has done its work. When all jobs of its group have done
// theirs, they make their changes, or wait for the command to finalize them.
func (m *Machine) prepare(j *job) {
	m.set(j, qapi.JobStatusWaiting)
	group := m.jobsOfGroup(j)
	if slices.ContainsFunc(group, func(j *job) bool { return j.status != qapi.JobStatusWaiting }) {
		return
	}
	for _, j := range group {
		m.set(j, qapi.JobStatusPending)
		if !j.autoFinalize {
			m.host.Emit(qapi.BlockJobPendingEvent{Type: j.kind, ID: j.id})
		}
	}
	if !slices.ContainsFunc(group, func(j *job) bool { return !j.autoFinalize }) {
		m.conclude(j)
	}
}

// conclude makes the changes of the jobs in the group of a job, and ends them.
func (m *Machine) conclude(j *job) {
	for _, j := range m.jobsOfGroup(j) {
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
	m.endFailed(j, false)
}

// cancelled is the error of jobs that were cancelled.
const cancelled = "Operation canceled"

// abandon cancels a job, because a client asks for it or another job of its group has ended.
func (m *Machine) abandon(j *job) {
	if j.paused {
		m.unpause(j)
	}
	j.err = cancelled
	m.set(j, qapi.JobStatusAborting)
	m.endFailed(j, true)
}

// endFailed ends a job that has failed, or that was cancelled if wanted is true, and then
// cancels the other jobs of its group.
func (m *Machine) endFailed(j *job, wanted bool) {
	group := m.jobsOfGroup(j)
	j.group = 0
	m.end(j, wanted)
	for _, other := range group {
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

// problem returns a job's error as query-jobs has it; nil if the job does not have one.
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

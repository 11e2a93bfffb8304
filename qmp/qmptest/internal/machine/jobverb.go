package machine

import (
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

// accepts returns why a job cannot execute a command in its present state.
func (j *job) accepts(verb string, states ...qapi.JobStatus) error {
	if slices.Contains(states, j.status) {
		return nil
	}
	return generic("Job '%s' in state '%s' cannot accept command verb '%s'", j.id, j.status, verb)
}

// working are the states in which a job does its work.
var working = []qapi.JobStatus{
	qapi.JobStatusCreated, qapi.JobStatusRunning, qapi.JobStatusPaused, qapi.JobStatusReady, qapi.JobStatusStandby,
}

func (m *Machine) cancel(j *job, req Request) error {
	states := append([]qapi.JobStatus{qapi.JobStatusWaiting, qapi.JobStatusPending}, working...)
	if err := j.accepts("cancel", states...); err != nil {
		return err
	}
	if j.status == qapi.JobStatusPending {
		m.abandon(j)
		return nil
	}
	m.after(req, func() {
		if slices.Contains(states, j.status) {
			m.abandon(j)
		}
	})
	return nil
}

func (m *Machine) pause(j *job, _ Request) error {
	if err := j.accepts("pause", working...); err != nil {
		return err
	}
	if j.paused {
		return generic("Job is already paused")
	}
	j.paused = true
	if j.status == qapi.JobStatusReady {
		m.set(j, qapi.JobStatusStandby)
	} else {
		m.set(j, qapi.JobStatusPaused)
	}
	return nil
}

func (m *Machine) resume(j *job, req Request) error {
	if !j.paused {
		return generic("Can't resume a job that was not paused")
	}
	m.unpause(j)
	m.after(req, func() {
		m.run(j, false)
		m.completeNow(j)
	})
	return nil
}

func (m *Machine) unpause(j *job) {
	j.paused = false
	if j.status == qapi.JobStatusStandby {
		m.set(j, qapi.JobStatusReady)
	} else {
		m.set(j, qapi.JobStatusRunning)
	}
}

func (m *Machine) complete(j *job, req Request) error {
	states := []qapi.JobStatus{qapi.JobStatusReady}
	if m.since("6.0") { // QEMU 5.2 wanted it to be resumed first
		states = append(states, qapi.JobStatusStandby)
	}
	if err := j.accepts("complete", states...); err != nil {
		return err
	}
	j.completing = true
	m.after(req, func() { m.completeNow(j) })
	return nil
}

// completeNow completes a job that was asked to complete, if it can.
func (m *Machine) completeNow(j *job) {
	if j.completing && j.status == qapi.JobStatusReady {
		m.prepare(j)
	}
}

func (m *Machine) finalize(j *job, _ Request) error {
	if err := j.accepts("finalize", qapi.JobStatusPending); err != nil {
		return err
	}
	m.conclude(j)
	return nil
}

func (m *Machine) dismiss(j *job, _ Request) error {
	if err := j.accepts("dismiss", qapi.JobStatusConcluded); err != nil {
		return err
	}
	m.forget(j)
	return nil
}

package job

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/goqapi/goqapi/internal/poll"
	"github.com/goqapi/goqapi/internal/retry"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// Complete finishes a job that is ready: a mirror or a commit of the image that the guest uses
// then switches the guest over, unless the option [StayOnSource] was given. It does not wait.
func (j *Job) Complete(ctx context.Context) error {
	return j.tell(ctx, "completing it", func(ctx context.Context) error {
		if j.opts.stay {
			return j.c.BlockJobCancel(ctx, qapi.BlockJobCancelArgs{Device: j.id})
		}
		return j.c.JobComplete(ctx, qapi.JobCompleteArgs{ID: j.id})
	}, qapi.JobStatusWaiting, qapi.JobStatusPending)
}

// Finalize makes a pending job carry out its changes and end; for the jobs of a transaction it is enough to
// finalize any one of them. The changes can still fail, which [Job.Wait] reports.
func (j *Job) Finalize(ctx context.Context) error {
	return j.tell(ctx, "finalizing it", func(ctx context.Context) error {
		return j.c.JobFinalize(ctx, qapi.JobFinalizeArgs{ID: j.id})
	}, qapi.JobStatusAborting)
}

// Cancel asks the job to stop. It does not wait: [Job.Wait] reports whether the job was
// cancelled or had ended before. If the job has ended already, that is not an error. Some jobs,
// such as the creation of an image, cannot be stopped and continue to their end. A mirror is
// cancelled even if it is ready.
func (j *Job) Cancel(ctx context.Context) error {
	j.mu.Lock()
	j.asked = j.asked || !j.ended
	j.mu.Unlock()
	return j.tell(ctx, "cancelling it", func(ctx context.Context) error {
		return j.c.JobCancel(ctx, qapi.JobCancelArgs{ID: j.id})
	}, qapi.JobStatusAborting)
}

// Pause pauses the job. It does not wait: the job may continue for a moment. It fails if the job is
// paused already, or has ended.
func (j *Job) Pause(ctx context.Context) error {
	return j.tell(ctx, "pausing it", func(ctx context.Context) error {
		return j.c.JobPause(ctx, qapi.JobPauseArgs{ID: j.id})
	})
}

// Resume continues a job that was paused by [Job.Pause] or by an error. It fails if the job is
// not paused.
func (j *Job) Resume(ctx context.Context) error {
	return j.tell(ctx, "resuming it", func(ctx context.Context) error {
		return j.c.JobResume(ctx, qapi.JobResumeArgs{ID: j.id})
	})
}

// SetSpeed limits the speed of a block job, in bytes a second; 0 removes the limit. It fails
// if the job has ended, or has no speed, such as the creation of an image.
func (j *Job) SetSpeed(ctx context.Context, bytesPerSecond int64) error {
	return j.tell(ctx, "setting its speed", func(ctx context.Context) error {
		return j.c.BlockJobSetSpeed(ctx, qapi.BlockJobSetSpeedArgs{Device: j.id, Speed: bytesPerSecond})
	})
}

// stop cancels the job and waits for its end.
func (j *Job) stop(ctx context.Context) error {
	if err := j.Cancel(ctx); err != nil {
		if errors.Is(err, ErrGone) {
			return nil
		}
		return err
	}
	_, err := j.Wait(ctx)
	if _, ended := errors.AsType[*Error](err); ended || errors.Is(err, ErrGone) {
		return nil
	}
	return err
}

// tell executes a command on the job. If the connection is lost, tell asks for the state of
// the job: the command has taken effect if the job is in one of the states done, or has
// ended; otherwise tell sends the command again.
func (j *Job) tell(ctx context.Context, what string, do func(context.Context) error, done ...qapi.JobStatus) error {
	again := false
	err := poll.Until(ctx, func(ctx context.Context) (bool, error) {
		err := do(ctx)
		if err == nil || !retry.Lost(j.c.Conn(), err) && !refused(err) {
			return true, err
		}
		if err := look(ctx, j.c, []*Job{j}); err != nil {
			return false, err
		}
		info, ended := j.last()
		switch {
		case done != nil && (ended || slices.Contains(done, info.Status)):
			return true, nil
		case !refused(err):
			again = again || qmp.MayHaveRun(err)
			return false, nil
		case again && !ended: // the refusal means that an earlier attempt was executed
			return true, nil
		}
		return false, err
	})
	if err != nil && !errors.Is(err, ErrGone) {
		return fmt.Errorf("%s: %s: %w", j, what, err)
	}
	return err
}

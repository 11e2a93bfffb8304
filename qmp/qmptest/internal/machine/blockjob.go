package machine

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) blockJobCommands() map[string]Handler {
	return map[string]Handler{
		"blockdev-create":     change(m, m.blockdevCreate),
		"x-blockdev-amend":    change(m, m.amend),
		"blockdev-mirror":     change(m, m.mirror),
		"blockdev-backup":     change(m, command(m, m.backup)),
		"query-block-jobs":    handle(m, m.queryBlockJobs),
		"block-job-cancel":    change(m, m.cancelBlockJob),
		"block-job-pause":     change(m, onBlockJob(m, func(a qapi.BlockJobPauseArgs) string { return a.Device }, m.pause)),
		"block-job-resume":    change(m, onBlockJob(m, func(a qapi.BlockJobResumeArgs) string { return a.Device }, m.resume)),
		"block-job-complete":  change(m, onBlockJob(m, func(a qapi.BlockJobCompleteArgs) string { return a.Device }, m.complete)),
		"block-job-finalize":  change(m, onBlockJob(m, func(a qapi.BlockJobFinalizeArgs) string { return a.ID }, m.finalize)),
		"block-job-dismiss":   change(m, onBlockJob(m, func(a qapi.BlockJobDismissArgs) string { return a.ID }, m.dismiss)),
		"block-job-set-speed": change(m, m.setSpeed),
	}
}

func (m *Machine) blockJob(id string) (*job, error) {
	if j := m.job(id); j != nil && j.block {
		return j, nil
	}
	return nil, noBlockJob(id)
}

// onBlockJob makes a command for block jobs from a function for any job.
func onBlockJob[A any](m *Machine, id func(A) string, f func(*job, Request) error) func(A, Request) error {
	return func(args A, req Request) error {
		j, err := m.blockJob(id(args))
		if err != nil {
			return err
		}
		return f(j, req)
	}
}

// jobArgs are what all commands that start block jobs have in common.
type jobArgs struct {
	JobID        string `json:"job-id"`
	Device       string `json:"device"`
	Speed        int64  `json:"speed"`
	AutoFinalize *bool  `json:"auto-finalize"`
	AutoDismiss  *bool  `json:"auto-dismiss"`
}

// startBlockJob starts a job that works on nodes.
func (m *Machine) startBlockJob(j *job, args jobArgs, req Request) error {
	if err := m.admitBlockJob(j, args); err != nil {
		return err
	}
	m.begin(j, req)
	return nil
}

func (m *Machine) admitBlockJob(j *job, args jobArgs) error {
	for _, n := range j.nodes {
		if err := m.busy(n); err != nil {
			return err
		}
	}
	j.id, j.block, j.speed = args.JobID, true, args.Speed
	j.autoFinalize = args.AutoFinalize == nil || *args.AutoFinalize
	j.autoDismiss = args.AutoDismiss == nil || *args.AutoDismiss
	if err := m.refuseID(j.id); err != nil {
		return err
	}
	switch user := m.writer(j.target); {
	case j.speed < 0:
		return m.failEarly(j, generic("Parameter 'speed' expects a non-negative value"))
	case user != nil:
		return m.failEarly(j, conflict(j.target, user))
	}
	return m.admit(j)
}

// copyArgs are the arguments of commands that copy.
type copyArgs struct {
	jobArgs

	Target string `json:"target"`
}

// copyJob returns a job that copies one node to another.
func (m *Machine) copyJob(kind qapi.JobType, args copyArgs) (*job, error) {
	source, err := m.lookup(args.Device)
	if err != nil {
		return nil, err
	}
	target, err := m.lookup(args.Target)
	if err != nil {
		return nil, err
	}
	if source == target {
		return nil, generic("Source and target cannot be the same")
	}
	bad := cmp.Or(source.bad(), target.badToWrite())
	return &job{kind: kind, total: source.size, bad: bad, nodes: []*node{source, target}, target: target}, nil
}

func differentSizes() error { return generic("Source and target image have different sizes") }

type mirrorArgs struct {
	copyArgs

	Granularity uint32 `json:"granularity"`
}

func (m *Machine) mirror(args mirrorArgs, req Request) error {
	j, err := m.copyJob(qapi.JobTypeMirror, args.copyArgs)
	if err != nil {
		return err
	}
	source, target := j.nodes[0], j.target
	if parent, _ := m.parent(source); parent != nil {
		return generic("Need a root block node")
	}
	if g := args.Granularity; g != 0 && (g < 512 || g > 64<<20 || bits.OnesCount32(g) != 1) {
		return generic("Parameter 'granularity' expects a power of 2 from 512 B to 64 MB")
	}
	if source.size != target.size {
		j.total, j.do = 0, differentSizes
	}
	j.waitsForComplete = true
	j.finish = func() {
		if j.completing { // otherwise it was cancelled, and leaves a copy
			m.replace(source, target)
		}
	}
	return m.startBlockJob(j, args.jobArgs, req)
}

// replace puts a node in another's place.
func (m *Machine) replace(old, n *node) {
	for _, d := range m.devices {
		if d.node == old {
			d.node = n
		}
	}
}

type backupArgs struct {
	copyArgs

	Sync       qapi.MirrorSyncMode  `json:"sync"`
	Bitmap     string               `json:"bitmap"`
	BitmapMode *qapi.BitmapSyncMode `json:"bitmap-mode"`
}

func (m *Machine) backup(args backupArgs, _ Request) (step, error) {
	j, err := m.admitBackup(args)
	if err != nil {
		return step{}, err
	}
	return m.beginning(j), nil
}

func (m *Machine) admitBackup(args backupArgs) (*job, error) {
	j, err := m.copyJob(qapi.JobTypeBackup, args.copyArgs)
	if err != nil {
		return nil, err
	}
	if err := m.useBitmap(j, args); err != nil {
		return nil, err
	}
	if j.nodes[0].size != j.target.size {
		return nil, differentSizes()
	}
	if user := m.writer(j.target); user != nil { // a mirror fails later than here
		return nil, conflict(j.target, user)
	}
	return j, m.admitBlockJob(j, args.jobArgs)
}

// useBitmap checks and sets the bitmap of a backup.
func (m *Machine) useBitmap(j *job, args backupArgs) error {
	marked := args.Sync == qapi.MirrorSyncModeBitmap || args.Sync == qapi.MirrorSyncModeIncremental
	mode := args.BitmapMode
	if args.Sync == qapi.MirrorSyncModeIncremental && mode == nil {
		mode = new(qapi.BitmapSyncModeOnSuccess)
	}
	switch {
	case args.Bitmap == "" && marked:
		return generic("must provide a valid bitmap name for '%s' sync mode", args.Sync)
	case args.Bitmap == "" && mode != nil:
		return generic("Cannot specify bitmap sync mode without a bitmap")
	case args.Bitmap == "":
		return nil
	case !slices.ContainsFunc(j.nodes[0].bitmaps, func(b bitmap) bool { return b.name == args.Bitmap }):
		return generic("Bitmap '%s' could not be found", args.Bitmap)
	case mode == nil:
		return generic("Bitmap sync mode must be given when providing a bitmap")
	case args.Sync == qapi.MirrorSyncModeIncremental && *mode != qapi.BitmapSyncModeOnSuccess:
		return generic("Bitmap sync mode must be 'on-success' when using sync mode 'incremental'")
	case args.Sync == qapi.MirrorSyncModeNone:
		return generic("sync mode 'none' does not produce meaningful bitmap outputs")
	case *mode == qapi.BitmapSyncModeNever && !marked:
		return generic("Bitmap sync mode 'never' has no meaningful effect when combined with sync mode '%s'", args.Sync)
	}
	if _, _, err := m.bitmap(j.nodes[0].name, args.Bitmap); err != nil {
		return err
	}
	j.bitmap = args.Bitmap
	if marked {
		j.total = j.nodes[0].marked(args.Bitmap)
	}
	if *mode != qapi.BitmapSyncModeNever {
		j.finish = func() { j.nodes[0].saved(args.Bitmap) }
	}
	return nil
}

func (m *Machine) queryBlockJobs(_ struct{}, req Request) (any, error) {
	all := []qapi.BlockJobInfo{}
	for _, j := range m.jobs {
		if j.block {
			all = append(all, j.blockInfo())
		}
	}
	m.secondPasses(req)
	return all, nil
}

func (j *job) blockInfo() qapi.BlockJobInfo {
	info := qapi.BlockJobInfo{
		Device: j.id, Len: j.total, Offset: j.done, Paused: j.paused, Speed: j.speed,
		IOStatus: qapi.BlockDeviceIOStatusOk, Status: j.status,
		Ready:        j.status == qapi.JobStatusReady || j.status == qapi.JobStatusStandby,
		AutoFinalize: j.autoFinalize, AutoDismiss: j.autoDismiss, Error: j.problem(),
	}
	switch j.kind {
	case qapi.JobTypeCommit:
		info.Type = qapi.BlockJobInfoCommit{}
	case qapi.JobTypeStream:
		info.Type = qapi.BlockJobInfoStream{}
	case qapi.JobTypeMirror:
		info.Type = qapi.BlockJobInfoMirror{}
	default:
		info.Type = qapi.BlockJobInfoBackup{}
	}
	return info
}

// cancelBlockJob ends a job; one that is ready completes without taking the place
// of its source, unless force is set.
func (m *Machine) cancelBlockJob(args qapi.BlockJobCancelArgs, req Request) error {
	j, err := m.blockJob(args.Device)
	if err != nil {
		return err
	}
	if j.status != qapi.JobStatusReady || value(args.Force) {
		return m.cancel(j, req)
	}
	m.after(req, func() {
		if j.status == qapi.JobStatusReady {
			m.prepare(j)
		}
	})
	return nil
}

func (m *Machine) setSpeed(args qapi.BlockJobSetSpeedArgs, req Request) error {
	j, err := m.blockJob(args.Device)
	if err != nil {
		return err
	}
	if err := j.accepts("set-speed", working...); err != nil {
		return err
	}
	if args.Speed < 0 {
		return generic("Parameter 'speed' expects a non-negative value")
	}
	j.speed = args.Speed
	m.after(req, func() { m.run(j, false) })
	return nil
}

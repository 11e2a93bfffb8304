package machine

import (
	"errors"
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) blockJobCommands() map[string]Handler {
	return map[string]Handler{
		"blockdev-create":     change(m, m.blockdevCreate),
		"blockdev-mirror":     change(m, m.mirror),
		"blockdev-backup":     change(m, m.backup),
		"block-commit":        change(m, m.commit),
		"block-stream":        change(m, m.stream),
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

// onBlockJob makes what is done to any job a command for block jobs.
func onBlockJob[A any](m *Machine, id func(A) string, f func(*job, Request) error) func(A, Request) error {
	return func(args A, req Request) error {
		j, err := m.blockJob(id(args))
		if err != nil {
			return err
		}
		return f(j, req)
	}
}

// blockJobOptions are what most commands that start block jobs have in common.
type blockJobOptions struct {
	id                        *string
	speed                     *int64
	autoFinalize, autoDismiss *bool
}

// startBlockJob starts a job that works on nodes.
func (m *Machine) startBlockJob(j *job, o blockJobOptions, req Request) error {
	for _, n := range j.nodes {
		if err := m.busy(n); err != nil {
			return err
		}
	}
	j.id, j.block, j.speed = value(o.id), true, value(o.speed)
	j.autoFinalize = o.autoFinalize == nil || *o.autoFinalize
	j.autoDismiss = o.autoDismiss == nil || *o.autoDismiss
	if err := m.unfit(j.id); err != nil {
		return err
	}
	switch user := m.writer(j.target); {
	case j.speed < 0:
		return m.stillborn(j, generic("Parameter 'speed' expects a non-negative value"))
	case user != nil:
		return m.stillborn(j, conflict(j.target, user))
	}
	return m.start(j, req)
}

// copyJob is a job that copies one node to another.
func (m *Machine) copyJob(kind qapi.JobType, from, to string) (*job, error) {
	source, err := m.lookup(from)
	if err != nil {
		return nil, err
	}
	target, err := m.lookup(to)
	if err != nil {
		return nil, err
	}
	if source == target {
		return nil, generic("Source and target cannot be the same")
	}
	return &job{kind: kind, total: source.size, bad: source.bad(), nodes: []*node{source, target}, target: target}, nil
}

const differentSizes = "Source and target image have different sizes"

func (m *Machine) mirror(args qapi.BlockdevMirrorArgs, req Request) error {
	j, err := m.copyJob(qapi.JobTypeMirror, args.Device, args.Target)
	if err != nil {
		return err
	}
	source, target := j.nodes[0], j.target
	if parent, _ := m.parent(source); parent != nil {
		return generic("Need a root block node")
	}
	if source.size != target.size {
		j.total, j.do = 0, func() error { return errors.New(differentSizes) }
	}
	j.untilTold = true
	j.finish = func() {
		if j.completing { // else it was cancelled, and leaves a copy
			m.replace(source, target)
		}
	}
	return m.startBlockJob(j, blockJobOptions{args.JobID, args.Speed, args.AutoFinalize, args.AutoDismiss}, req)
}

// replace puts a node in another's place.
func (m *Machine) replace(old, n *node) {
	if d := m.deviceOf(old); d != nil {
		d.node = n
	}
}

func (m *Machine) backup(args qapi.BlockdevBackup, req Request) error {
	j, err := m.copyJob(qapi.JobTypeBackup, args.Device, args.Target)
	if err != nil {
		return err
	}
	if j.nodes[0].size != j.target.size {
		return generic(differentSizes)
	}
	if user := m.writer(j.target); user != nil { // where a mirror gets a little further
		return conflict(j.target, user)
	}
	return m.startBlockJob(j, blockJobOptions{args.JobID, args.Speed, args.AutoFinalize, args.AutoDismiss}, req)
}

func (m *Machine) commit(args qapi.BlockCommitArgs, req Request) error {
	device := m.node(args.Device)
	if device == nil {
		return notFound(args.Device)
	}
	top, err := m.inChain(device, args.TopNode, args.Top)
	if err != nil {
		return err
	}
	if top == nil {
		top = device
	}
	base, err := m.inChain(device, args.BaseNode, args.Base)
	if err != nil {
		return err
	}
	if base == nil {
		for base = top; base.backing() != nil; base = base.backing() {
		}
	}
	if base == top {
		return generic("cannot commit an image into itself")
	}
	j := &job{kind: qapi.JobTypeCommit, nodes: chain(device, base), untilTold: top == device}
	j.total = top.size
	j.finish = func() {
		if !j.untilTold {
			above, _ := m.parent(top)
			m.setBacking(above, base)
		} else if j.completing {
			m.replace(top, base)
		}
	}
	return m.startBlockJob(j, blockJobOptions{args.JobID, args.Speed, args.AutoFinalize, args.AutoDismiss}, req)
}

// inChain finds a node among the backing nodes of another, by its name or its file's.
// nil is none asked for.
func (m *Machine) inChain(n *node, name, file *string) (*node, error) {
	for ; n != nil; n = n.backing() {
		if name != nil && n.name == *name || file != nil && n.filename == *file {
			return n, nil
		}
	}
	switch {
	case name != nil:
		return m.lookup(*name)
	case file != nil:
		return nil, generic("Can't find '%s' in the backing chain", *file)
	}
	return nil, nil
}

// chain is a node and its backing nodes down to one of them.
func chain(n, last *node) (all []*node) {
	for ; n != nil; n = n.backing() {
		if all = append(all, n); n == last {
			break
		}
	}
	return all
}

// setBacking gives a node another backing node, or none.
func (m *Machine) setBacking(n, backing *node) {
	old := n.backing()
	n.children = slices.DeleteFunc(n.children, func(c child) bool { return c.role == "backing" })
	if backing != nil {
		n.children = slices.Insert(n.children, 0, child{"backing", backing})
	}
	if old != nil {
		m.letGo(old)
	}
}

func (m *Machine) stream(args qapi.BlockStreamArgs, req Request) error {
	n, err := m.lookup(args.Device)
	if err != nil {
		return err
	}
	base, err := m.inChain(n, args.BaseNode, args.Base)
	if err != nil {
		return err
	}
	j := &job{kind: qapi.JobTypeStream, nodes: chain(n, base)}
	if n.backing() != nil {
		j.total = n.size
		j.finish = func() { m.setBacking(n, base) }
	}
	return m.startBlockJob(j, blockJobOptions{args.JobID, args.Speed, args.AutoFinalize, args.AutoDismiss}, req)
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

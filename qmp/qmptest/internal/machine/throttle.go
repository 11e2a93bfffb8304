package machine

import (
	"github.com/goqapi/goqapi/qapi"
)

// A limit is one of the six kinds of speed that a drive can have limited: what it is on
// average, and what it may be in a burst of some seconds.
type limit struct {
	average       int64
	burst, length *int64
}

// limitsOf returns the limits in an order of their own: of bytes and of requests, each of all,
// of reads, and of writes.
func limitsOf(a qapi.BlockIOThrottle) [2][3]limit {
	return [2][3]limit{
		{{a.BPS, a.BPSMax, a.BPSMaxLength}, {a.BPSRd, a.BPSRdMax, a.BPSRdMaxLength}, {a.BPSWr, a.BPSWrMax, a.BPSWrMaxLength}},
		{{a.IOPS, a.IOPSMax, a.IOPSMaxLength}, {a.IOPSRd, a.IOPSRdMax, a.IOPSRdMaxLength}, {a.IOPSWr, a.IOPSWrMax, a.IOPSWrMaxLength}},
	}
}

// fastest is the highest limit that there can be.
const fastest = 1_000_000_000_000_000

// check returns what is wrong with a limit; nil if nothing is.
func (l limit) check() error {
	burst := value(l.burst)
	switch {
	case l.average < 0 || l.average > fastest || burst < 0 || burst > fastest:
		return generic("bps/iops/max values must be within [0, %d]", int64(fastest))
	case l.length != nil && *l.length == 0:
		return generic("the burst length cannot be 0")
	case value(l.length) > 1 && burst == 0:
		return generic("burst length set without burst rate")
	case burst != 0 && l.average == 0:
		return generic("bps_max/iops_max require corresponding bps/iops values")
	case burst != 0 && burst < l.average:
		return generic("bps_max/iops_max cannot be lower than bps/iops")
	}
	return nil
}

func (m *Machine) setThrottle(args qapi.BlockIOThrottle, req Request) error {
	var which driveArgs
	if err := req.Decode(&which); err != nil {
		return err
	}
	d, err := m.drive(which)
	switch {
	case err != nil:
		return err
	case d.node == nil:
		return generic("Device has no medium")
	}
	limited := false
	for _, kind := range limitsOf(args) {
		for _, l := range kind {
			if err := l.check(); err != nil {
				return err
			}
			limited = limited || l.average != 0
		}
		all, reads, writes := kind[0], kind[1], kind[2]
		if all.average != 0 && reads.average+writes.average != 0 || value(all.burst) != 0 && value(reads.burst)+value(writes.burst) != 0 {
			return generic("bps/iops/max total values and read/write values cannot be used at the same time")
		}
	}
	if !limited {
		d.throttle = nil
		return nil
	}
	if args.Group == nil {
		args.Group = args.ID
		if d.throttle != nil {
			args.Group = d.throttle.Group
		}
	}
	d.throttle = &args
	return nil
}

// limits puts the limits of a drive into the info of the node that is its medium.
func (d *device) limits(info *qapi.BlockDeviceInfo) {
	t := d.throttle
	if t == nil {
		return
	}
	info.Group = t.Group
	info.BPS, info.BPSRd, info.BPSWr = t.BPS, t.BPSRd, t.BPSWr
	info.IOPS, info.IOPSRd, info.IOPSWr = t.IOPS, t.IOPSRd, t.IOPSWr
	for _, burst := range []struct{ max, length, givenMax, givenLength **int64 }{
		{&info.BPSMax, &info.BPSMaxLength, &t.BPSMax, &t.BPSMaxLength},
		{&info.BPSRdMax, &info.BPSRdMaxLength, &t.BPSRdMax, &t.BPSRdMaxLength},
		{&info.BPSWrMax, &info.BPSWrMaxLength, &t.BPSWrMax, &t.BPSWrMaxLength},
		{&info.IOPSMax, &info.IOPSMaxLength, &t.IOPSMax, &t.IOPSMaxLength},
		{&info.IOPSRdMax, &info.IOPSRdMaxLength, &t.IOPSRdMax, &t.IOPSRdMaxLength},
		{&info.IOPSWrMax, &info.IOPSWrMaxLength, &t.IOPSWrMax, &t.IOPSWrMaxLength},
	} {
		if value(*burst.givenMax) != 0 {
			*burst.max, *burst.length = *burst.givenMax, new(valueOr(*burst.givenLength, 1))
		}
	}
	if value(t.IOPSSize) != 0 {
		info.IOPSSize = t.IOPSSize
	}
}

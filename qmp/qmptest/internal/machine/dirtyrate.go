package machine

import (
	"github.com/goqapi/goqapi/qapi"
)

// A dirtyRate is a measurement of how fast the guest changes its memory; here the guest changes nothing.
// The measurement is over after the first query.
type dirtyRate struct {
	status qapi.DirtyRateStatus // "": never begun
	args   qapi.CalcDirtyRateArgs
}

func (m *Machine) calcDirtyRate(args qapi.CalcDirtyRateArgs, _ Request) error {
	unit := valueOr(args.CalcTimeUnit, qapi.TimeUnitSecond)
	shortest, longest := int64(1), int64(60)
	if unit == qapi.TimeUnitMillisecond {
		shortest, longest = 50, 60_000
	}
	pages, mode := valueOr(args.SamplePages, 512), valueOr(args.Mode, qapi.DirtyRateMeasureModePageSampling)
	switch {
	case args.CalcTime < shortest || args.CalcTime > longest:
		return generic("Calculation time is out of range [%d, %d]", shortest, longest)
	case args.SamplePages != nil && mode != qapi.DirtyRateMeasureModePageSampling:
		return generic("sample-pages is used only in page-sampling mode")
	case args.SamplePages != nil && (pages < 128 || pages > 16384):
		return generic("sample-pages is out of range[%d, %d].", 128, 16384)
	case mode == qapi.DirtyRateMeasureModeDirtyRing:
		return generic("mode %s is not enabled", mode)
	case m.dirty.status == qapi.DirtyRateStatusMeasuring:
		return generic("the last dirty rate measurement is still in progress")
	}
	m.dirty = dirtyRate{qapi.DirtyRateStatusMeasuring, args}
	return nil
}

func (m *Machine) queryDirtyRate(args qapi.QueryDirtyRateArgs, _ Request) (any, error) {
	info := qapi.DirtyRateInfo{Status: qapi.DirtyRateStatusUnstarted}
	begun := m.dirty.args
	mode := valueOr(begun.Mode, qapi.DirtyRateMeasureModePageSampling)
	if m.dirty.status != "" {
		info.Status, info.CalcTime = m.dirty.status, begun.CalcTime
		m.dirty.status = qapi.DirtyRateStatusMeasured
	}
	if info.Status == qapi.DirtyRateStatusMeasured {
		info.DirtyRate = new(int64(0))
	}
	if m.since("6.1") && m.dirty.status != "" && mode == qapi.DirtyRateMeasureModePageSampling {
		info.SamplePages = uint64(valueOr(begun.SamplePages, 512))
	}
	if m.since("6.2") {
		info.Mode = mode
	}
	if m.since("8.2") {
		info.CalcTimeUnit = valueOr(args.CalcTimeUnit, qapi.TimeUnitSecond)
		asked, given := info.CalcTimeUnit, valueOr(begun.CalcTimeUnit, qapi.TimeUnitSecond)
		switch {
		case asked == given:
		case asked == qapi.TimeUnitMillisecond:
			info.CalcTime *= 1000
		default:
			info.CalcTime /= 1000
		}
	}
	return info, nil
}

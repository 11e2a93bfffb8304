package top

import (
	"context"
	"time"

	"github.com/goqapi/goqapi/qapi"
)

// A cpuSample says how long the vCPUs have been busy, as far as that is known.
type cpuSample struct {
	at   time.Time
	busy map[int64]time.Duration // by the id of the thread, if QEMU runs on this host
	idle map[string]idleTime     // by the path of the vCPU, from KVM's statistics
}

// idleTime says how long a vCPU has waited, and whether it waits now: a wait is counted only when
// it is over.
type idleTime struct {
	time    time.Duration
	waiting bool
}

// idleStatistics are KVM's statistics of the nanoseconds in which a vCPU had nothing to do.
var idleStatistics = map[string]bool{"halt_wait_ns": true, "halt_poll_success_ns": true, "halt_poll_fail_ns": true}

// readIdle reads the statistics of vCPUs that QEMU has since 7.1, with KVM.
func readIdle(ctx context.Context, c *qapi.Client) (map[string]idleTime, error) {
	results, err := c.QueryStats(ctx, qapi.StatsFilter{Target: qapi.StatsFilterVcpu{}})
	if err != nil {
		return nil, err
	}
	all := map[string]idleTime{}
	for _, r := range results {
		var idle idleTime
		found := false
		for _, s := range r.Stats {
			switch value := s.Value.(type) {
			case qapi.Uint:
				if idleStatistics[s.Name] {
					idle.time += time.Duration(value)
					found = true
				}
				idle.waiting = idle.waiting || s.Name == "blocking" && value != 0
			case qapi.Bool:
				idle.waiting = idle.waiting || s.Name == "blocking" && bool(value)
			}
		}
		if found {
			all[qapi.Value(r.QOMPath)] = idle
		}
	}
	return all, nil
}

// since returns how busy the vCPUs were since an earlier sample, in percent of one vCPU;
// nil if that is not known.
func (now cpuSample) since(old cpuSample) *float64 {
	passed := now.at.Sub(old.at)
	if passed <= 0 {
		return nil
	}
	var busy time.Duration
	known := false
	for thread, time := range now.busy {
		if before, ok := old.busy[thread]; ok {
			busy, known = busy+max(time-before, 0), true
		}
	}
	if !known {
		for path, idle := range now.idle {
			before, ok := old.idle[path]
			if !ok {
				continue
			}
			known = true
			waited := min(max(idle.time-before.time, 0), passed)
			if waited == 0 && idle.waiting {
				waited = passed
			}
			busy += passed - waited
		}
	}
	if !known {
		return nil
	}
	return new(100 * busy.Seconds() / passed.Seconds())
}

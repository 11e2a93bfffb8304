package migration

import (
	"fmt"
	"math"
	"time"

	"github.com/goqapi/goqapi/internal/progress"
	"github.com/goqapi/goqapi/qapi"
)

// A Progress is how far a migration is.
type Progress struct {
	Status qapi.MigrationStatus
	// Total is how much memory there is to send, in bytes, and Done is how much of it was
	// processed in this pass through the memory. Done falls when another pass begins: it sends
	// again what the guest has changed meanwhile.
	Done, Total int64
	// Percent is how much of Total is done, from 0 to 100.
	Percent float64
	// Transferred is how many bytes were sent. Pages of zeros need very few.
	Transferred int64
	// Passes is the number of passes through the memory that have begun.
	Passes int64
	// Rate is how many bytes are sent in a second; 0 if it is not known.
	Rate float64
	// Left is how long the rest of this pass will take; 0 if that is not known, or if nothing is left.
	Left time.Duration
	// Downtime is how long the guest does not run while it changes sides: the time that QEMU expects, and
	// after the end the time that it took.
	Downtime time.Duration
}

// Stats are the figures of a migration that is over. QEMU counts in milliseconds.
type Stats struct {
	Time        time.Duration // the whole migration
	Downtime    time.Duration // while the guest did not run
	Transferred int64         // bytes that were sent
	Passes      int64         // through the memory
	Info        qapi.MigrationInfo
}

func statsOf(info qapi.MigrationInfo) Stats {
	s := Stats{Time: milliseconds(info.TotalTime), Downtime: milliseconds(info.Downtime), Info: info}
	if info.RAM != nil {
		s.Transferred, s.Passes = info.RAM.Transferred, info.RAM.DirtySyncCount
	}
	return s
}

func milliseconds(n *int64) time.Duration {
	if n == nil {
		return 0
	}
	return time.Duration(*n) * time.Millisecond
}

// A meter computes the progress from what QEMU reports.
type meter struct{ done, wire progress.Meter }

func (m *meter) read(now time.Time, info qapi.MigrationInfo) Progress {
	p := Progress{Status: status(info), Downtime: milliseconds(info.ExpectedDowntime)}
	if info.Downtime != nil {
		p.Downtime = milliseconds(info.Downtime)
	}
	if info.RAM == nil {
		return p
	}
	ram := info.RAM
	r := m.done.Read(now, ram.Total-ram.Remaining, ram.Total)
	p.Done, p.Total, p.Percent, p.Left = r.Done, r.Total, r.Percent, r.Left
	p.Transferred, p.Passes = ram.Transferred, ram.DirtySyncCount
	p.Rate = m.wire.Read(now, ram.Transferred, 0).Rate
	return p
}

// String returns the progress in a few words, such as "active, pass 2: 42 %, 118.2 MiB/s, 9s left".
func (p Progress) String() string {
	text := string(p.Status)
	if p.Passes > 0 {
		text += fmt.Sprintf(", pass %d: %.0f %%", p.Passes, math.Floor(p.Percent)) // 100 only when all is done
	}
	if p.Rate > 0 {
		text += fmt.Sprintf(", %.1f MiB/s", p.Rate/(1<<20))
	}
	if p.Left > 0 {
		text += ", " + max(p.Left.Round(time.Second), time.Second).String() + " left"
	}
	return text
}

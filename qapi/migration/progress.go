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
	// Total is how much memory there is to send, in bytes, and Done how much of it has been
	// dealt with in this pass over it. Done falls when another pass begins: what
	// the guest has changed meanwhile has to be sent again.
	Done, Total int64
	// Percent is the share of Done, 0 to 100.
	Percent float64
	// Transferred is how many bytes have gone over the wire. Pages of zeros need hardly any.
	Transferred int64
	// Passes counts the passes over the memory that have begun.
	Passes int64
	// Rate is how many bytes a second go over the wire; 0 if it is not known.
	Rate float64
	// Left is how long this pass will take; 0 if it is not known, or nothing is left.
	Left time.Duration
	// Downtime is how long the guest stands still between the sides: as QEMU expects it,
	// and when it is over how long it was.
	Downtime time.Duration
}

// Stats are the figures of a migration that is over. QEMU counts in milliseconds.
type Stats struct {
	Time        time.Duration // all together
	Downtime    time.Duration // the guest stood still
	Transferred int64         // bytes over the wire
	Passes      int64         // over the memory
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

// A meter makes progress of what QEMU reports.
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

// String is the progress in a few words, such as "active, pass 2: 42 %, 118.2 MiB/s, 9s left".
func (p Progress) String() string {
	text := string(p.Status)
	if p.Passes > 0 {
		text += fmt.Sprintf(", pass %d: %.0f %%", p.Passes, math.Floor(p.Percent)) // 100 only when it is
	}
	if p.Rate > 0 {
		text += fmt.Sprintf(", %.1f MiB/s", p.Rate/(1<<20))
	}
	if p.Left > 0 {
		text += ", " + max(p.Left.Round(time.Second), time.Second).String() + " left"
	}
	return text
}

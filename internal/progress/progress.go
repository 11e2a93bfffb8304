// Package progress is the arithmetic of progress: percent, rate and time left, of two
// counters that a server shows now and then.
package progress

import (
	"math"
	"time"
)

// memory is how fast earlier rates lose their weight: after this time they count e times less.
const memory = 5 * time.Second

// A Meter measures one piece of work. The zero value is ready for use.
type Meter struct {
	at           time.Time // when the last reading was taken; zero: none was
	done         int64
	rate, weight float64 // a sum of rates, and of what each counts; newer ones count more
}

// A Reading is how far the work is.
type Reading struct {
	Done, Total int64
	Percent     float64       // from 0 to 100; 0 if there is no total
	Rate        float64       // of Done, a second; 0 if it is not known
	Left        time.Duration // 0 if it is not known, or nothing is left
}

// Read takes a reading. Total may be 0 and may change. Done may fall; then the rate
// is measured again from there.
func (m *Meter) Read(now time.Time, done, total int64) Reading {
	m.measure(now, done)
	rate := 0.0
	if m.weight > 0 {
		rate = m.rate / m.weight
	}
	return reading(done, total, rate)
}

// Sum returns how far several pieces of work are in all.
func Sum(list ...Reading) Reading {
	var all Reading
	for _, r := range list {
		all.Done, all.Total, all.Rate = all.Done+r.Done, all.Total+r.Total, all.Rate+r.Rate
	}
	return reading(all.Done, all.Total, all.Rate)
}

// Percent returns how much of total is done, from 0 to 100; 0 if there is no total.
func Percent(done, total float64) float64 {
	if total <= 0 {
		return 0
	}
	return 100 * min(max(done/total, 0), 1)
}

func reading(done, total int64, rate float64) Reading {
	r := Reading{Done: done, Total: total, Rate: rate}
	r.Percent = Percent(float64(done), float64(total))
	if done < total && rate > 0 {
		seconds := float64(total-done) / rate
		r.Left = time.Duration(min(seconds*float64(time.Second), float64(math.MaxInt64-1024)))
	}
	return r
}

func (m *Meter) measure(now time.Time, done int64) {
	passed := now.Sub(m.at)
	switch {
	case m.at.IsZero() || done < m.done:
		*m = Meter{at: now, done: done}
	case passed > 0:
		old := math.Exp(-passed.Seconds() / memory.Seconds())
		m.rate = old*m.rate + (1-old)*float64(done-m.done)/passed.Seconds()
		m.weight = old*m.weight + (1 - old)
		m.at, m.done = now, done
	}
}

package progress_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/internal/progress"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestMeter(t *testing.T) {
	var m progress.Meter
	assert.Equal(t, progress.Reading{Total: 1000}, m.Read(start, 0, 1000), "nothing is known at first")
	r := m.Read(start.Add(time.Second), 100, 1000)
	assert.InDelta(t, 10, r.Percent, 1e-9)
	assert.InDelta(t, 100, r.Rate, 1e-9)
	assert.InDelta(t, 9, r.Left.Seconds(), 1e-6)

	for s := 2; s <= 9; s++ {
		r = m.Read(start.Add(time.Duration(s)*time.Second), int64(s)*100, 1000)
	}
	assert.InDelta(t, 100, r.Rate, 1e-9)
	assert.InDelta(t, 1, r.Left.Seconds(), 1e-6)

	r = m.Read(start.Add(10*time.Second), 1000, 1000)
	assert.InDelta(t, 100, r.Percent, 0)
	assert.Zero(t, r.Left)
}

func TestMeterFollowsTheRate(t *testing.T) {
	var m progress.Meter
	m.Read(start, 0, 1e6)
	done := int64(0)
	var r progress.Reading
	for s := range 60 {
		rate := int64(1000)
		if s >= 30 {
			rate = 10
		}
		done += rate
		r = m.Read(start.Add(time.Duration(s+1)*time.Second), done, 1e6)
	}
	assert.InDelta(t, 10, r.Rate, 5, "30 s after it has fallen")
}

func TestMeterCountsTimeNotReadings(t *testing.T) {
	var m progress.Meter
	m.Read(start, 0, 1000)
	m.Read(start.Add(time.Millisecond), 50, 1000) // 50,000 a second, but only for a millisecond
	r := m.Read(start.Add(time.Second), 100, 1000)
	assert.InDelta(t, 100, r.Rate, 20)
}

func TestMeterWithoutTotal(t *testing.T) {
	var m progress.Meter
	m.Read(start, 0, 0)
	r := m.Read(start.Add(time.Second), 10, 0)
	assert.Equal(t, progress.Reading{Done: 10, Rate: r.Rate}, r)
	assert.InDelta(t, 10, r.Rate, 1e-9)
}

func TestMeterWhenDoneFalls(t *testing.T) {
	var m progress.Meter
	m.Read(start, 0, 100)
	m.Read(start.Add(time.Second), 90, 100)
	r := m.Read(start.Add(2*time.Second), 20, 100)
	assert.Equal(t, progress.Reading{Done: 20, Total: 100, Percent: 20}, r, "the rate is measured again")
	r = m.Read(start.Add(3*time.Second), 40, 100)
	assert.InDelta(t, 20, r.Rate, 1e-9)
	assert.InDelta(t, 3, r.Left.Seconds(), 1e-6)
}

func TestMeterAtItsLimits(t *testing.T) {
	var m progress.Meter
	m.Read(start, 0, math.MaxInt64)
	r := m.Read(start, 5, math.MaxInt64)
	assert.Zero(t, r.Rate, "no time has passed")
	r = m.Read(start.Add(time.Hour), 6, math.MaxInt64)
	assert.Positive(t, r.Left, "the time left is longer than the longest Duration")
	assert.InDelta(t, 100, m.Read(start.Add(2*time.Hour), 20, 10).Percent, 0, "more done than there is")
	assert.Zero(t, m.Read(start.Add(3*time.Hour), -5, 10).Percent)
}

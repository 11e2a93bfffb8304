package term

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Size returns a number of bytes as people read it: 512 B, 291.4 MiB.
func Size(bytes float64) string {
	const units = "KMGTPE"
	if math.Abs(bytes) < 1024 {
		return strconv.FormatFloat(math.Trunc(bytes), 'f', -1, 64) + " B"
	}
	i := -1
	for i < len(units)-1 && math.Abs(bytes) >= 1023.95 { // 1024.0 KiB is 1.0 MiB
		bytes /= 1024
		i++
	}
	return fmt.Sprintf("%.1f %ciB", bytes, units[i])
}

// Percent returns a percentage with one digit, rounded down: 100.0% only when it is.
func Percent(percent float64) string { return fmt.Sprintf("%.1f%%", math.Floor(percent*10)/10) }

// Duration returns a time as people read it: 25s, 3m05s, 2h10m, 4d03h. It is at least a second.
func Duration(d time.Duration) string {
	d = max(d.Round(time.Second), time.Second)
	seconds, minutes, hours := int(d.Seconds()), int(d.Minutes()), int(d.Hours())
	switch {
	case minutes < 1:
		return fmt.Sprintf("%ds", seconds)
	case hours < 1:
		return fmt.Sprintf("%dm%02ds", minutes, seconds%60)
	case hours < 24:
		return fmt.Sprintf("%dh%02dm", hours, minutes%60)
	}
	return fmt.Sprintf("%dd%02dh", hours/24, hours%24)
}

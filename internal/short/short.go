// Package short chooses what tests do with -short.
package short

import "testing"

// Ends returns the first and the last of a list with -short, and otherwise all of it: of the
// releases of QEMU, the oldest and the newest.
func Ends[T any](all []T) []T {
	if !testing.Short() || len(all) < 3 {
		return all
	}
	return []T{all[0], all[len(all)-1]}
}

package qapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/qapi"
)

func TestPercent(t *testing.T) {
	type percent interface{ Percent() float64 }
	tests := []struct {
		of   percent
		want float64
	}{
		{qapi.JobInfo{}, 0},
		{qapi.JobInfo{CurrentProgress: 1, TotalProgress: 4}, 25},
		{qapi.JobInfo{CurrentProgress: 5, TotalProgress: 4}, 100},
		{qapi.JobInfo{CurrentProgress: -1, TotalProgress: 4}, 0},
		{qapi.JobInfo{Status: qapi.JobStatusConcluded}, 100},
		{qapi.JobInfo{Status: qapi.JobStatusConcluded, Error: new("no space")}, 0},
		{qapi.JobInfo{Status: qapi.JobStatusRunning}, 0},
		{qapi.JobInfo{Status: qapi.JobStatusPending}, 100},
		{qapi.BlockJobInfo{Offset: 3, Len: 4}, 75},
		{qapi.BlockJobInfo{Ready: true}, 100},
		{qapi.DumpQueryResult{Completed: 1, Total: 2}, 50},
		{qapi.DumpQueryResult{Status: qapi.DumpStatusCompleted}, 100},
		{qapi.MigrationInfo{}, 0},
		{qapi.MigrationInfo{Status: new(qapi.MigrationStatusCompleted)}, 100},
		{qapi.MigrationInfo{RAM: &qapi.MigrationRAMStats{Total: 1 << 40, Remaining: 1 << 38}}, 75},
	}
	for _, test := range tests {
		assert.InDelta(t, test.want, test.of.Percent(), 1e-9, "%v", test.of)
	}
}

package descriptions

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLink(t *testing.T) {
	names := map[string]string{
		"job-pause": "Client.JobPause", "set_password": "Client.SetPassword", "stop": "Client.Stop",
		"STOP": "StopEvent", "JOB_END": "JobEndEvent", "VncInfo": "VNCInfo",
	}
	for text, want := range map[string]string{
		"":                                   "",
		"pauses a job.":                      "pauses a job.",
		"job-pause":                          "[Client.JobPause]",
		"After job-pause, JOB_END.":          "After [Client.JobPause], [JobEndEvent].",
		"job-pause's STOP; (set_password)":   "[Client.JobPause]'s [StopEvent]; ([Client.SetPassword])",
		"With stop it is paused by [stop].":  "With stop it is paused by [Client.Stop].",
		"as [job-pause] does, see [VncInfo]": "as [Client.JobPause] does, see [VNCInfo]",
		"/run/job-pause, --job-pause, job-pause=1, job-pause-x, x.job-pause, job-pause.x": "/run/job-pause, --job-pause, job-pause=1, job-pause-x, x.job-pause, job-pause.x",
		"[tcp]:server or [HOST]:PORT":   "[tcp]:server or [HOST]:PORT",
		"[Client.JobPause] and VncInfo": "[Client.JobPause] and VncInfo",
	} {
		assert.Equal(t, want, link(text, func(name string) string { return names[name] }))
	}
	all := Descriptions{"x": {Text: "uses job-pause", Members: map[string]string{"y": "As for job-pause."}}}
	linked := all.Link(func(name string) string { return names[name] })
	assert.Equal(t, "uses [Client.JobPause]", linked["x"].Text)
	assert.Equal(t, "As for [Client.JobPause].", linked["x"].Members["y"])
	assert.Equal(t, "uses job-pause", all["x"].Text, "it stays")
}

// TestMarks fails for a word in brackets that is not a name of the schema, except parts
// of addresses, arguments, and functions of package qga.
func TestMarks(t *testing.T) {
	marked := regexp.MustCompile(`\[([A-Za-z][\w-]*)\]`)
	others := []string{"tcp", "hostaddr", "guestaddr", "HOST", "DeviceAddArgs", "Shutdown", "Suspend", "WithFrozen"}
	for target := range targets {
		all, s := loadOwn(t, target)
		for name, d := range all {
			for _, text := range append(slices.Collect(maps.Values(d.Members)), d.Text) {
				for _, mark := range marked.FindAllStringSubmatch(text, -1) {
					if !slices.Contains(others, mark[1]) {
						assert.NotNil(t, s.Lookup(mark[1]), "%s: %s: there is no %s", d.At.File, name, mark[0])
					}
				}
			}
		}
	}
}

func TestMentions(t *testing.T) {
	assert.Equal(t, []string{"job-pause", "STOP", "stop"}, Mentions("After job-pause, STOP and job-pause; [stop], not stop."))
	assert.Equal(t, "by stop, of [1] and JOB_END", Plain("by [stop], of [1] and [JOB_END]"))
}

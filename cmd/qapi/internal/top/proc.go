package top

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A host is the folder /proc of a Linux on which QEMUs may run. On other systems nothing is found
// in it.
type host struct{ proc fs.FS }

func local() host { return host{os.DirFS("/proc")} }

// tick is the unit in which Linux counts the time of threads, on all architectures.
const tick = 10 * time.Millisecond

// process returns the process of a thread if that is a QEMU, otherwise 0: servers report
// their threads, but they may run on another host. The whole command line is searched for
// qemu, since the program may have another name.
func (h host) process(thread int64) int {
	text, err := fs.ReadFile(h.proc, path.Join(strconv.FormatInt(thread, 10), "status"))
	if err != nil {
		return 0
	}
	var pid int
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "Tgid:"); ok {
			pid, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	command, err := fs.ReadFile(h.proc, path.Join(strconv.Itoa(pid), "cmdline"))
	if err != nil || !strings.Contains(string(command), "qemu") {
		return 0
	}
	return pid
}

// threadTime returns how long a thread has run.
func (h host) threadTime(pid int, thread int64) (time.Duration, bool) {
	text, err := fs.ReadFile(h.proc, path.Join(strconv.Itoa(pid), "task", strconv.FormatInt(thread, 10), "stat"))
	if err != nil {
		return 0, false
	}
	// The name, in parentheses, may contain anything. utime and stime are the 12th and 13th fields
	// after it.
	_, after, ok := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
	fields := strings.Fields(after)
	if !ok || len(fields) < 13 {
		return 0, false
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, err == nil && err2 == nil
}

// taps returns the names of the interfaces that a process has as tap devices.
func (h host) taps(pid int) []string {
	files, err := fs.Glob(h.proc, path.Join(strconv.Itoa(pid), "fdinfo", "*"))
	if err != nil {
		return nil
	}
	var names []string
	for _, file := range files {
		text, err := fs.ReadFile(h.proc, file)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if name, ok := strings.CutPrefix(line, "iff:"); ok {
				names = append(names, strings.TrimSpace(name))
			}
		}
	}
	return names
}

// traffic is what has gone through an interface, as the guest sees it.
type traffic struct{ received, sent int64 }

// traffics returns the traffic of the interfaces in the network namespace of a process.
func (h host) traffics(pid int, names []string) map[string]traffic {
	if len(names) == 0 {
		return nil
	}
	text, err := fs.ReadFile(h.proc, filepath.ToSlash(filepath.Join(strconv.Itoa(pid), "net", "dev")))
	if err != nil {
		return nil
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	all := map[string]traffic{}
	for line := range strings.Lines(string(text)) {
		name, counters, ok := strings.Cut(strings.TrimSpace(line), ":")
		fields := strings.Fields(counters)
		if !ok || !wanted[name] || len(fields) < 9 {
			continue
		}
		fromGuest, err := strconv.ParseInt(fields[0], 10, 64) // what the host receives is what the guest sent
		toGuest, err2 := strconv.ParseInt(fields[8], 10, 64)
		if err == nil && err2 == nil {
			all[name] = traffic{received: toGuest, sent: fromGuest}
		}
	}
	return all
}

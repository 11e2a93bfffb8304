package qemu

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/schema/devices"
)

// devicesFile is the file of a release that has what its binaries say of their devices.
const devicesFile = "devices.txt"

// DeviceReleases lists the releases whose devices are known, such as "11.1", the oldest first.
func DeviceReleases() []string {
	return slices.DeleteFunc(Releases(), func(release string) bool {
		_, err := fs.Stat(releases, release+"/"+devicesFile)
		return err != nil
	})
}

// Devices returns what the binaries of a release, one of [DeviceReleases], say of their devices. The
// list is made once, and everybody gets the same one: it must not be changed.
func Devices(release string) (*devices.List, error) {
	lists.Lock()
	defer lists.Unlock()
	if l := lists.byRelease[release]; l != nil {
		return l, nil
	}
	if !slices.Contains(DeviceReleases(), release) {
		return nil, fmt.Errorf("the devices of QEMU %q are not known; those of %s are", release, strings.Join(DeviceReleases(), ", "))
	}
	name := release + "/" + devicesFile
	text, err := releases.ReadFile(name)
	if err != nil {
		return nil, err
	}
	l, err := devices.Parse(name, text)
	if err != nil {
		return nil, err
	}
	if lists.byRelease == nil {
		lists.byRelease = map[string]*devices.List{}
	}
	lists.byRelease[release] = l
	return l, nil
}

var lists struct {
	sync.Mutex
	byRelease map[string]*devices.List
}

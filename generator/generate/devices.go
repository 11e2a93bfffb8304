package generate

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/generator/internal/device"
	"github.com/goqapi/goqapi/generator/internal/emit"
	"github.com/goqapi/goqapi/internal/regular"
	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/qemu"
)

// devicesOf generates the types of the devices that the config asks for.
func devicesOf(c config) ([]emit.File, error) {
	lists, err := loadDevices(c)
	if err != nil {
		return nil, err
	}
	qapi, err := qemu.Merge(qemu.QMP) // the schema has the enums of devices
	if err != nil {
		return nil, err
	}
	opts := device.Options{Package: c.pkg, Path: importPath(c.out), All: c.all, Complete: len(c.schemas) == 0}
	if c.texts != "" {
		if opts.Devices, opts.Properties, err = descriptions.LoadDevices(os.DirFS(c.texts)); err != nil {
			return nil, fmt.Errorf("descriptions: %w", err)
		}
	}
	p, err := device.Build(lists, qapi.Schema, opts)
	if err != nil {
		return nil, err
	}
	return emit.Devices(p)
}

// loadDevices loads the lists of devices, the oldest first.
func loadDevices(c config) ([]*devices.List, error) {
	var lists []*devices.List
	for _, file := range c.schemas {
		text, err := regular.ReadFile(os.DirFS(filepath.Dir(file)), filepath.Base(file), 16<<20)
		if err != nil {
			return nil, err
		}
		l, err := devices.Parse(file, text)
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	if !c.known {
		return lists, nil
	}
	given := lists
	for _, release := range qemu.DeviceReleases() {
		newer := slices.ContainsFunc(given, func(l *devices.List) bool { return qemu.Compare(l.Release, release) <= 0 })
		if newer {
			continue
		}
		l, err := qemu.Devices(release)
		if err != nil {
			return nil, err
		}
		lists = append(lists, l)
	}
	slices.SortStableFunc(lists, func(a, b *devices.List) int { return qemu.Compare(a.Release, b.Release) })
	return lists, nil
}

// importPath returns the import path of the package in a folder, by the go.mod above it; ""
// if there is no go.mod.
func importPath(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	below := ""
	for {
		text, err := regular.ReadFile(os.DirFS(dir), "go.mod", 1<<20)
		if err == nil {
			return modulePath(string(text), below)
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir, below = parent, path.Join(filepath.Base(dir), below)
			continue
		}
		return ""
	}
}

// modulePath returns the path of a package below the module that a go.mod names.
func modulePath(mod, below string) string {
	for line := range strings.Lines(mod) {
		if words := strings.Fields(line); len(words) > 1 && words[0] == "module" {
			return path.Join(strings.Trim(words[1], `"`), below)
		}
	}
	return ""
}

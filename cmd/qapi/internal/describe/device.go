package describe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/generator/descriptions"
	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/devices/rules"
)

// deviceType returns the type of devices with a name, which may be an alias.
func (l *Library) deviceType(name string) *devices.Type {
	if t := l.devices.Type(name); t != nil {
		return t
	}
	for _, target := range l.devices.Targets() {
		if t := l.devices.Find(name, target); t != nil {
			return t
		}
	}
	return nil
}

// device returns the entry of a device, or of one of its properties.
func (l *Library) device(t *devices.Type, property string) (*Entry, error) {
	all := l.devices.Props(t)
	elsewhere := propertiesOf(t.Name)
	var names []string
	e := &Entry{Name: t.Name, Kind: "device", Release: l.devices.Release}
	for _, p := range all {
		if slices.Contains(names, p.Name) || p.ReadOnly { // one form for each is enough
			continue
		}
		names = append(names, p.Name)
		e.Members = append(e.Members, l.property(t, p, elsewhere))
	}
	if property != "" {
		i := slices.IndexFunc(e.Members, func(m Member) bool { return m.Name == property })
		if i < 0 {
			return nil, fmt.Errorf("device %s has no property %q%s", t.Name, property, guess(property, names))
		}
		m := e.Members[i]
		return &Entry{Name: t.Name + "/" + property, Kind: "property", Release: e.Release, Facts: m.Facts, Type: m.Type}, nil
	}
	if d := l.aboutDevices[t.Name]; d != nil {
		e.Text = descriptions.Plain(d.Text)
		for _, b := range l.books {
			b.mentions(e, d.Text)
		}
	}
	e.Releases = deviceReleases(func(list *devices.List) bool { return list.Type(t.Name) != nil })
	e.Device = &Device{
		Parent: t.Parent, Bus: t.Bus, Alias: t.Alias, Category: t.Category, Targets: l.devices.TargetsOf(t), Creates: t.User(),
		Plugs: t.User() && t.Bus != "" && rules.Hotplugs(t.Name) && rules.BusHotplugs(t.Bus, e.Release),
	}
	if e.Device.Creates {
		e.Example = deviceExample(e)
	}
	return e, nil
}

func (l *Library) property(t *devices.Type, p devices.Prop, elsewhere map[string]map[string]bool) Member {
	m := Member{Name: p.Name, Type: p.Type, Optional: true, Default: p.Default}
	if p.Kind != devices.KindNone {
		m.Type += " (" + string(p.Kind) + ")"
	}
	if d := l.aboutDevices[t.Name]; d != nil {
		m.Text = d.Members[p.Name]
	}
	if d := l.aboutProperties[p.Name]; d != nil && m.Text == "" {
		if m.Text = d.Members[t.Name]; m.Text == "" {
			m.Text = d.Text
		}
	}
	m.Text = descriptions.Plain(m.Text)
	m.Releases = deviceReleases(func(list *devices.List) bool {
		props, has := elsewhere[list.Release]
		return !has || props[p.Name]
	})
	return m
}

// propertiesOf returns, for each release that has a device, the names of the device's properties.
func propertiesOf(device string) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, release := range facts.DeviceReleases() {
		list, err := facts.Devices(release)
		if err != nil || list.Type(device) == nil {
			continue
		}
		names := map[string]bool{}
		for _, p := range list.Props(list.Type(device)) {
			names[p.Name] = true
		}
		all[release] = names
	}
	return all
}

// deviceReleases returns which releases have something, of those whose devices are known; "" if all
// have it.
func deviceReleases(has func(*devices.List) bool) string {
	var with, without []string
	for _, release := range facts.DeviceReleases() {
		list, err := facts.Devices(release)
		if err == nil && has(list) {
			with = append(with, release)
		} else {
			without = append(without, release)
		}
	}
	all := facts.DeviceReleases()
	switch n := len(with); {
	case n == len(all):
		return ""
	case n > 0 && with[0] == all[len(all)-n]:
		return "QEMU " + with[0] + " and later, not " + strings.Join(without, ", ")
	}
	return "QEMU " + strings.Join(with, ", ") + ", not " + strings.Join(without, ", ")
}

// deviceExample adds the device while the machine runs or, if that is not possible, when it is
// started.
func deviceExample(e *Entry) []string {
	words := []string{"driver=" + e.Name, "id=ID"}
	for _, m := range e.Members {
		for kind, value := range map[string]string{"(drive)": "NODE-NAME", "(netdev)": "NETDEV", "(chardev)": "CHARDEV", "(audiodev)": "AUDIODEV"} {
			if strings.HasSuffix(m.Type, kind) {
				words = append(words, m.Name+"="+value)
			}
		}
		if m.Name == "memdev" || m.Name == "cryptodev" || m.Name == "rng" && strings.HasPrefix(m.Type, "link<") {
			words = append(words, m.Name+"="+strings.ToUpper(m.Name))
		}
	}
	if e.Device.Plugs {
		return []string{"qapi call ADDR device_add " + strings.Join(words, " ")}
	}
	return []string{"qemu-system-" + e.Device.Targets[0] + " -device " + strings.Join(append([]string{e.Name}, words[1:]...), ",")}
}

package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/goqapi/goqapi/cmd/qapi/internal/facts"
	"github.com/goqapi/goqapi/internal/versions"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// schemaOf returns the schema of the release that is nearest to a server's version.
func (a *app) schemaOf(ctx context.Context, v qmp.Version) (*schema.Schema, error) {
	return a.schema(ctx, nearestRelease(facts.Releases(), v))
}

// devicesOf returns the devices of the release that is nearest to a server's version.
func devicesOf(v qmp.Version) (*devices.List, error) {
	return facts.Devices(nearestRelease(facts.DeviceReleases(), v))
}

// nearestRelease returns the newest release that is not newer than a version; the oldest
// one if all are newer, and the newest one if the version is not known. The oldest release
// comes first.
func nearestRelease(releases []string, v qmp.Version) string {
	if v.Major == 0 {
		return releases[len(releases)-1]
	}
	version := fmt.Sprintf("%d.%d", v.Major, v.Minor)
	later := slices.IndexFunc(releases, func(r string) bool { return versions.Compare(r, version) > 0 })
	switch later {
	case -1:
		return releases[len(releases)-1]
	case 0:
		return releases[0]
	}
	return releases[later-1]
}

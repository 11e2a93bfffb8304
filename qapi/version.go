package qapi

import "github.com/goqapi/goqapi/qmp"

// Version returns the version as a [qmp.Version], the type of the version in a greeting.
func (v VersionInfo) Version() qmp.Version {
	return qmp.Version{Major: int(v.QEMU.Major), Minor: int(v.QEMU.Minor), Micro: int(v.QEMU.Micro), Package: v.Package}
}

// Compare orders versions by their numbers: it returns a negative number if v is older
// than other, a positive one if it is newer, and otherwise zero.
func (v VersionInfo) Compare(other VersionInfo) int { return v.Version().Compare(other.Version()) }

// AtLeast reports whether v is that release or a newer one, as [qmp.Version.AtLeast] does.
func (v VersionInfo) AtLeast(major, minor int) bool { return v.Version().AtLeast(major, minor) }

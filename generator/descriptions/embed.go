package descriptions

import (
	"embed"
	"io/fs"
)

//go:embed qmp qga device
var files embed.FS

// Files returns the descriptions of QMP ("qmp"), of the guest agent ("qga") or of devices
// ("device"), for [Load] or [LoadDevices].
func Files(target string) fs.FS {
	sub, err := fs.Sub(files, target)
	if err != nil {
		panic(err) // the name is not a path
	}
	return sub
}

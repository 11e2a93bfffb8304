package describe

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"io/fs"
	"sync"
)

// compressed has the files of package descriptions: uncompressed, they would make this
// program half a megabyte larger. TestTexts writes it.
//
//go:embed texts.zip
var compressed []byte

var archive = sync.OnceValue(func() *zip.Reader {
	files, err := zip.NewReader(bytes.NewReader(compressed), int64(len(compressed)))
	if err != nil {
		panic(err) // TestTexts has read it
	}
	return files
})

// texts returns the descriptions of a target, as descriptions.Files does.
func texts(target string) fs.FS {
	sub, err := fs.Sub(archive(), target)
	if err != nil {
		panic(err) // the name is not a path
	}
	return sub
}

//go:build !unix

package qmp

import "os"

const canPassFiles = false

func dupFiles([]*os.File) ([]int, error) { return nil, ErrNoFiles }

func closeFDs([]int) {}

func fileRights([]int) []byte { return nil }

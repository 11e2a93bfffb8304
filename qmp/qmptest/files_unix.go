//go:build unix

package qmptest

import (
	"os"
	"syscall"
)

const canTakeFiles = true

// readFiles is like Read, and also returns the files that came with the bytes.
func (c unixFiles) readFiles(p []byte) (int, []*os.File, error) {
	oob := make([]byte, syscall.CmsgSpace(16*4)) // QEMU accepts as many
	n, oobn, _, _, err := c.ReadMsgUnix(p, oob)
	if err != nil {
		return 0, nil, err
	}
	files, err := filesIn(oob[:oobn])
	return n, files, err
}

func filesIn(oob []byte) ([]*os.File, error) {
	messages, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, err
	}
	var files []*os.File
	for _, message := range messages {
		fds, err := syscall.ParseUnixRights(&message)
		if err != nil {
			continue // it is something else
		}
		for _, fd := range fds {
			syscall.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files, nil
}

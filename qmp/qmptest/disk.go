package qmptest

import "errors"

// GuestReads makes the virtual machine's guest read from a drive, which is named by the id of its
// device. The drive's statistics show it. It is an error if the drive does not have a medium, or
// the medium is smaller.
func (s *Server) GuestReads(drive string, offset, size int64) error {
	return s.disk(drive, false, offset, size)
}

// GuestWrites makes the virtual machine's guest write to a drive, which is named by the id of its
// device. The drive's statistics and the dirty bitmaps of its medium show it, and it can reach the
// threshold of block-set-write-threshold. It is an error if the drive does not have a medium, or
// the medium is smaller or read-only.
func (s *Server) GuestWrites(drive string, offset, size int64) error {
	return s.disk(drive, true, offset, size)
}

func (s *Server) disk(drive string, write bool, offset, size int64) error {
	if s.vm == nil {
		return errors.New("qmptest: this server has no virtual machine")
	}
	return s.vm.Disk(drive, write, offset, size)
}

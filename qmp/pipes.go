package qmp

import (
	"io"
	"os"
	"sync"
	"time"
)

// pipes are the pipes between a process and the user's readers and writers. Package exec
// could copy, too. But after the process has ended, it would wait without a limit for a
// child of the process that holds the outputs open, and for a reader or a writer that
// blocks.
type pipes struct {
	theirs      []*os.File // the ends of the process
	inputs      []*os.File // our ends, to be written to
	outputs     []*os.File // our ends, to be read from
	copying     []func()
	outputsRead sync.WaitGroup // the goroutines that read outputs
}

// feed returns a file from which the process reads the content of the reader from.
func (s *pipes) feed(from io.Reader) (*os.File, error) {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.theirs, s.inputs = append(s.theirs, theirs), append(s.inputs, ours)
	s.copying = append(s.copying, func() {
		go func() {
			_, _ = io.Copy(ours, from) // the process may not want all of it
			ours.Close()
		}()
	})
	return theirs, nil
}

// drain returns a file; what the process writes to it is copied to the writer to.
func (s *pipes) drain(to io.Writer) (*os.File, error) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	s.theirs, s.outputs = append(s.theirs, theirs), append(s.outputs, ours)
	s.copying = append(s.copying, func() {
		s.outputsRead.Go(func() {
			_, _ = io.Copy(to, ours)
			ours.Close()
		})
	})
	return theirs, nil
}

// start begins to copy, when the process has started.
func (s *pipes) start() {
	closeAll(s.theirs)
	for _, begin := range s.copying {
		begin()
	}
}

// abandon closes everything: the process could not be started.
func (s *pipes) abandon() {
	closeAll(s.theirs)
	closeAll(s.inputs)
	closeAll(s.outputs)
}

// end ends the copying after the process has ended: what it wrote may be read for as long as limit.
func (s *pipes) end(limit time.Duration) {
	closeAll(s.inputs)
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		s.outputsRead.Wait()
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-copied:
	case <-timer.C:
		for _, f := range s.outputs {
			_ = f.SetReadDeadline(time.Now())
		}
	}
}

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// A locked writer is used by one goroutine at a time.
type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

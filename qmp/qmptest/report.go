package qmptest

import (
	"errors"
	"fmt"
	"log"
	"sync"
)

// A reporter gets what the test did wrong: a testing.TB, or failures.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// failures logs what was wrong, and keeps it until the server is closed.
type failures struct {
	mu   sync.Mutex
	errs []error
}

func (f *failures) Helper() {}

func (f *failures) Errorf(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	log.Print(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errs = append(f.errs, err)
}

// take returns all that was reported, once.
func (f *failures) take() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := errors.Join(f.errs...)
	f.errs = nil
	return err
}

// fail reports an error, and returns it.
func (s *Server) fail(format string, args ...any) error {
	s.t.Helper()
	err := fmt.Errorf("qmptest: "+format, args...)
	s.t.Errorf("%v", err)
	return err
}

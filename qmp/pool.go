package qmp

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
)

// A task is run by a worker. The argument of run is the worker's id.
type task interface{ run(w workerID) }

// A taskFunc is a task that does not use the worker's id.
type taskFunc func()

func (f taskFunc) run(workerID) { f() }

// A sequence runs functions on the workers one after another, in order.
type sequence struct {
	pool *pool

	mu    sync.Mutex
	funcs []func() // the first may be running
}

func (s *sequence) add(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.funcs = append(s.funcs, f)
	if len(s.funcs) == 1 {
		s.pool.add(s)
	}
}

func (s *sequence) run(workerID) {
	defer s.next() // also after a panic
	s.mu.Lock()
	f := s.funcs[0]
	s.mu.Unlock()
	f()
}

// next removes the function that has run, and has the next one run.
func (s *sequence) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.funcs[0] = nil
	if s.funcs = s.funcs[1:]; len(s.funcs) > 0 {
		s.pool.add(s)
	}
}

// A pool runs tasks on up to size workers: goroutines that are started when there is a
// task, and end when there is none.
type pool struct {
	size   int
	caught func(value any, stack []byte) // gets panics; nil: they end the process

	mu      sync.Mutex
	workers int
	tasks   []task
	head    int // of tasks
}

func (p *pool) add(t task) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tasks = append(p.tasks, t)
	if p.workers < p.size {
		p.workers++
		go p.work()
	}
}

// next takes the first task. It returns nil if there is none, and then the worker must end.
func (p *pool) next() task {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.head == len(p.tasks) {
		p.workers--
		p.head, p.tasks = 0, p.tasks[:0]
		if p.workers == 0 && cap(p.tasks) > 64 {
			p.tasks = nil
		}
		return nil
	}
	t := p.tasks[p.head]
	p.tasks[p.head] = nil
	p.head++
	if p.head > 64 && p.head > len(p.tasks)/2 {
		n := copy(p.tasks, p.tasks[p.head:])
		clear(p.tasks[n:])
		p.head, p.tasks = 0, p.tasks[:n]
	}
	return t
}

func (p *pool) work() {
	ended := false
	defer func() {
		if !ended { // a handler called runtime.Goexit, as a failing test does
			go p.work()
		}
	}()
	w := thisGoroutine()
	for t := p.next(); t != nil; t = p.next() {
		p.run(t, w)
	}
	ended = true
}

func (p *pool) run(t task, w workerID) {
	if p.caught != nil {
		defer func() {
			if v := recover(); v != nil {
				p.caught(v, debug.Stack())
			}
		}()
	}
	t.run(w)
}

// workerID identifies a goroutine.
type workerID uint64

// thisGoroutine returns the number of the running goroutine, which Go shows only in stack traces. The
// function stop of a handler needs it, to notice that the handler itself calls stop.
func thisGoroutine() workerID {
	var buf [40]byte
	head := buf[:runtime.Stack(buf[:], false)]
	head = bytes.TrimPrefix(head, []byte("goroutine "))
	head, _, _ = bytes.Cut(head, []byte(" "))
	n, _ := strconv.ParseUint(string(head), 10, 64)
	return workerID(n)
}

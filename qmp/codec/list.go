package codec

import "reflect"

// Lists share memory with others of their type, and so do pointers: several take parts of one
// allocation, and one that is still used keeps all of it.

// sharedBytes is the size, in bytes, of the largest allocation that is shared.
const sharedBytes = 2 << 10

// shared returns how many values of a size share an allocation.
func (d *Decoder) shared(size uintptr) int {
	allocated := budget(d.size) - d.left // little for a short text
	return min(allocated/8, sharedBytes) / max(int(size), 1)
}

// room returns how many values of a size should be allocated together if n are needed now. In a
// long text these are more than n: later lists or pointers use the rest.
func (d *Decoder) room(n int, size uintptr) int {
	n = max(n, d.shared(size))
	if n > d.left/max(int(size), 1) { // their size may be too large for an int
		d.charge(d.left + 1)
	} else {
		d.charge(n * int(size))
	}
	return n
}

// spare returns a pointer to the values of type T that were allocated and are not used yet.
//
//go:noinline
func spare[T any](d *Decoder) *[]T {
	for _, s := range d.spare {
		if s, ok := s.(*[]T); ok {
			return s
		}
	}
	s := new([]T)
	d.addSpare(s)
	return s
}

func (d *Decoder) addSpare(s any) { d.spare = append(d.spare, s) }

// Ptr decodes an optional value with a function, into x, or into a new T if x is nil. For
// null x becomes nil.
func Ptr[T any](d *Decoder, x **T, decode func(*T, *Decoder)) {
	if d.null() {
		*x = nil
		return
	}
	if *x == nil {
		unused := spare[T](d)
		if len(*unused) == 0 {
			*unused = make([]T, d.room(1, reflect.TypeFor[T]().Size()))
		}
		*x, *unused = &(*unused)[0], (*unused)[1:]
	}
	decode(*x, d)
}

// List decodes a list whose elements are decoded by a function.
func List[T any](d *Decoder, x *[]T, decode func(*T, *Decoder)) {
	begin, size := d.at, reflect.TypeFor[T]().Size()
	if !d.list() {
		*x = nil
		return
	}
	unused := spare[T](d)
	list := (*unused)[:0]
	*unused = nil // a list of the same type in this one needs other memory
	for d.next('[', ']') {
		n := len(list)
		if n == cap(list) {
			room := d.room(d.estimate(begin, n), size)
			if d.err != nil {
				break
			}
			list = append(make([]T, 0, room), list...)
		}
		list = list[:n+1]
		decode(&list[n], d)
	}
	n := len(list)
	switch rest := list[n:cap(list)]; {
	case n == 0:
		list = []T{}
		*unused = rest
	case cap(list) <= d.shared(size):
		*unused = rest
	case len(rest) > n/8 && n*int(size) <= longList && d.charge(n*int(size)):
		list = append(make([]T, 0, n), list...)
	}
	*x = list[:n:n]
}

// longList is the size in bytes of the largest list that is copied, when it is complete, to free
// unused memory.
const longList = 16 << 10

// estimate returns how many elements a list should have room for after its first n. The list begins
// at an index in the text. The estimate assumes that the list fills the rest of the text, but is at
// most a few times n.
func (d *Decoder) estimate(begin, n int) int {
	if n == 0 {
		return 1
	}
	times := 2
	if d.depth == 1 {
		times = 8
	}
	rest := int64(len(d.text)-d.at) * int64(n) / int64(d.at-begin) // the product is too large for an int of 32 bits
	return max(n+1, min(times*n, n+int(rest)))
}

// list enters a list, if one is next.
func (d *Decoder) list() bool {
	if d.peek() != '[' {
		d.other("a list is expected")
		return false
	}
	d.enter()
	return true
}

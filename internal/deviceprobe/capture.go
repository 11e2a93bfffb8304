package deviceprobe

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"github.com/goqapi/goqapi/schema/devices"
)

// Read makes facts of what a binary said earlier, which was kept as JSON: a line for the binary, as
// in {"version":"11.1.3","target":"s390x"}, and then a line for each device. Errors name it by name.
func Read(name string, r io.Reader) (*devices.List, Report, error) {
	b, err := read(name, r)
	if err != nil {
		return nil, Report{}, err
	}
	list, report, err := b.list()
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return list, report, err
}

func read(name string, r io.Reader) (*binary, error) {
	b := &binary{}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var err error
		if n == 1 {
			err = json.Unmarshal(lines.Bytes(), b)
		} else {
			var a asked
			err = json.Unmarshal(lines.Bytes(), &a)
			b.Devices = append(b.Devices, a)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if b.Version == "" || b.Target == "" {
		return nil, fmt.Errorf("%s:1: it does not name a version and a target", name)
	}
	return b, nil
}

// The program api compares the exported API of the packages that users import with the API
// that is recorded in text files in this folder, one line for each thing:
//
//	go run ./internal/api          # fails on what is incompatible
//	go run ./internal/api -update  # records the API as it is
//
// A recorded line that is no longer true breaks programs, unless a type was only renamed
// and has an alias. It is accepted if the section "Unreleased" of CHANGELOG.md names the
// thing in backquotes, such as `qmp.Conn.Execute`, or its type.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	module = "github.com/goqapi/goqapi"
	folder = "internal/api" // the records; the program runs in the module's root
)

// packages are those whose API is promised.
var packages = []string{
	"qapi", "qapi/cmdline", "qapi/device", "qapi/disk", "qapi/hotplug", "qapi/job", "qapi/migration", "qapi/qga",
	"qmp", "qmp/libvirt", "qmp/libvirt/libvirttls", "qmp/qmplog", "qmp/qmptest", "qmp/qmptest/libvirttest", "qmp/qmptest/record", "qmp/qmptls", "raw",
}

func main() {
	update := flag.Bool("update", false, "record the API as it is")
	flag.Parse()
	if err := run(*update); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(update bool) error {
	changelog, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	named := unreleased(string(changelog))
	load, err := loader()
	if err != nil {
		return err
	}
	broken := 0
	for _, path := range packages {
		pkg, err := load(module + "/" + path)
		if err != nil {
			return err
		}
		now := apiOf(pkg)
		file := filepath.Join(folder, pkg.Name()+".txt")
		text, err := os.ReadFile(file)
		if err != nil && (!update || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
		d := compare(strings.Split(strings.TrimSpace(string(text)), "\n"), now)
		for _, line := range d.broken {
			if isNamed(named, pkg.Name(), line) {
				continue
			}
			broken++
			fmt.Printf("%s: no longer there: %s\n", path, line)
		}
		if update {
			fmt.Printf("%s: %d lines; %d are new, %d are no longer there\n", path, len(now), d.added, len(d.broken))
			if err := os.WriteFile(file, []byte(strings.Join(now, "\n")+"\n"), 0o666); err != nil {
				return err
			}
		}
	}
	if broken > 0 && !update {
		return fmt.Errorf("%d parts of the API that programs may use have changed: restore them, or say in CHANGELOG.md, under Unreleased, "+
			"what to use instead, with the name in backquotes, such as `qapi.Client.Eject`", broken)
	}
	return nil
}

// unreleased returns the section of the changelog for what is not released yet.
func unreleased(changelog string) string {
	_, section, _ := strings.Cut(changelog, "\n## Unreleased\n")
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// isNamed reports whether a section of the changelog names what a line is about, or its
// type.
func isNamed(section, pkg, line string) bool {
	name, part := subject(line)
	return strings.Contains(section, "`"+pkg+"."+name+"`") ||
		part != "" && strings.Contains(section, "`"+pkg+"."+name+"."+part+"`")
}

// A difference is one between the recorded API and the present one.
type difference struct {
	broken []string // recorded, and no longer there
	added  int
}

// compare compares two APIs, each sorted.
func compare(recorded, now []string) difference {
	var d difference
	there := make(map[string]bool, len(now))
	for _, line := range now {
		there[line] = true
	}
	aliases := aliasesOf(now)
	if len(recorded) == 1 && recorded[0] == "" { // there is no record yet
		recorded = nil
	}
	known := make(map[string]bool, len(recorded))
	for _, line := range recorded {
		known[line] = true
		if !there[line] && !there[aliases.in(line)] {
			d.broken = append(d.broken, line)
		}
	}
	for _, line := range now {
		if !known[line] {
			d.added++
		}
	}
	return d
}

package deviceprobe

import (
	"regexp"
	"strings"
)

// What a line of info qdm says:
//
//	Storage devices:
//	name "virtio-blk-pci", bus PCI, alias "virtio-blk"
//	name "cfi.pflash01", bus System, desc "text", no-user
var (
	qdmName     = regexp.MustCompile(`^name "([^"]*)"`)
	qdmBus      = regexp.MustCompile(`^, bus ([^,]*)`)
	qdmAlias    = regexp.MustCompile(`^, alias "([^"]*)"`)
	qdmNoUser   = regexp.MustCompile(`, no-user$`)
	qdmCategory = regexp.MustCompile(`^(.*) devices:$`)
)

// parseQDM reads the answer to info qdm: what it says of each device.
func parseQDM(text string) map[string]asked {
	models := map[string]asked{}
	category := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if m := qdmCategory.FindStringSubmatch(line); m != nil {
			category = m[1]
			continue
		}
		// take cuts what a pattern matches off the line, and returns what is in its parentheses.
		take := func(p *regexp.Regexp) string {
			m := p.FindStringSubmatch(line)
			if m == nil {
				return ""
			}
			line = line[len(m[0]):]
			return m[1]
		}
		if name := take(qdmName); name != "" {
			models[name] = asked{Category: category, Bus: take(qdmBus), Alias: take(qdmAlias), NoUser: qdmNoUser.MatchString(line)}
		}
	}
	return models
}

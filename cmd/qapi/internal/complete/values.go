package complete

import (
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// values returns the words KEY=VALUE whose values start with what was typed.
func (l *line) values(key, typed string) []Candidate {
	if path, ok := strings.CutPrefix(typed, "@"); ok {
		return l.engine.Paths(l.ctx, key+"=@", path)
	}
	at, ok := l.find(key)
	if !ok {
		return nil
	}
	var found []Candidate
	for _, t := range at.types {
		switch t := t.(type) {
		case *schema.Enum:
			for _, v := range t.Values {
				found = append(found, Candidate{Word: key + "=" + v.Name, Show: v.Name, rank: rankOf(v.Name, false)})
			}
		case schema.Builtin:
			switch t {
			case schema.Bool:
				found = append(found, valueCandidates(key, "true", "false")...)
			case schema.Str:
				found = append(found, l.names(key, at.member, typed)...)
			}
		}
	}
	return startingWith(found, key+"="+typed)
}

func valueCandidates(key string, values ...string) []Candidate {
	var found []Candidate
	for _, v := range values {
		found = append(found, Candidate{Word: key + "=" + v, Show: v})
	}
	return found
}

// names returns the names that a text can be.
func (l *line) names(key string, m member, typed string) []Candidate {
	kind := m.kind
	if kind == None {
		kind = kindOf(l.command.Name, m.name)
	}
	if kind == None && m.ref {
		kind = Node
	}
	of := ""
	switch kind {
	case None:
		return nil
	case File:
		return l.engine.Paths(l.ctx, key+"=", typed)
	case DeviceType:
		found := valueCandidates(key, l.engine.deviceTypes(l.ctx)...)
		for i := range found {
			if strings.HasSuffix(found[i].Word, "-cpu") {
				found[i].rank = 1 // there are too many
			}
		}
		return found
	case Bitmap:
		of = l.given["node"]
	case QOMProperty:
		of = l.given["path"]
	case QOMPath:
		of = typed[:strings.LastIndexByte(typed, '/')+1]
	}
	if l.engine.Live == nil {
		return nil
	}
	var found []Candidate
	for _, name := range l.engine.Live.Names(l.ctx, kind, of) {
		if kind == QOMPath {
			found = append(found, pathCandidate(key+"=", of+name))
		} else {
			found = append(found, Candidate{Word: key + "=" + name, Show: name})
		}
	}
	return found
}

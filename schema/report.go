package schema

import (
	"fmt"
	"strings"
)

// String returns the change as a sentence, such as "the command 'eject' is gone".
func (c Change) String() string { return c.text("'", "'") }

func (c Change) text(open, end string) string {
	quote := func(s string) string { return open + s + end }
	subject := "the " + c.What + " " + quote(c.Name)
	// orNothing returns a type that a command takes or returns, for people.
	orNothing := func(s string) string {
		switch s {
		case "":
			return "nothing"
		case inPlaceText:
			return "members of its own"
		}
		return quote(s)
	}
	switch c.Kind {
	case Added, Mandatory:
		if c.Old != "" {
			return subject + " is now mandatory"
		}
		if c.New != "" {
			subject += ", " + quote(c.New) + ","
		}
		text := subject + " is new"
		if c.Kind == Mandatory {
			text += ", mandatory"
		}
		for _, f := range c.Features {
			text += ", " + f
		}
		return text
	case Removed:
		return subject + " is gone"
	case Renamed:
		return subject + " is now called " + quote(c.New)
	case Arguments:
		return subject + " now takes " + orNothing(c.New) + ", before " + orNothing(c.Old)
	case Returns:
		return subject + " now returns " + orNothing(c.New) + ", before " + orNothing(c.Old)
	case Retyped:
		return subject + " is now " + quote(c.New) + ", before " + quote(c.Old)
	case Optional:
		return subject + " is now optional"
	case Deprecated, Unstable:
		return subject + " is now " + string(c.Kind)
	case Marked:
		if c.New == "" {
			return subject + " no longer has the feature " + quote(c.Old)
		}
		return subject + " now has the feature " + quote(c.New)
	case Condition:
		switch {
		case c.Old == "":
			return subject + " is now there only if " + quote(c.New)
		case c.New == "":
			return subject + " is now always there, before only if " + quote(c.Old)
		}
		return subject + " is now there only if " + quote(c.New) + ", before if " + quote(c.Old)
	case Behaviour:
		if c.New == "" {
			return subject + " no longer has " + quote(c.Old)
		}
		return subject + " now has " + quote(c.New)
	}
	return subject + ": " + string(c.Kind)
}

// A reportSection is a part of a report.
type reportSection struct {
	title string
	holds func(Change) bool
}

var reportSections = []reportSection{
	{"Breaks Go code", func(c Change) bool { return c.Breaks }},
	{"Newly deprecated or unstable", func(c Change) bool { return c.Kind == Deprecated || c.Kind == Unstable }},
	{"New", func(c Change) bool { return c.Kind == Added }},
	{"Other", func(Change) bool { return true }},
}

// Report writes changes as a text for people, under headings: what breaks Go code, what
// is deprecated, what is new, and the rest. With markdown set, it uses Markdown, with
// headings of level three.
func Report(changes []Change, markdown bool) string {
	if len(changes) == 0 {
		return "Nothing has changed.\n"
	}
	groups := make([][]Change, len(reportSections))
	for _, c := range changes {
		for i, s := range reportSections {
			if s.holds(c) {
				groups[i] = append(groups[i], c)
				break
			}
		}
	}
	var b strings.Builder
	for i, group := range groups {
		if len(group) == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		title := fmt.Sprintf("%s (%d)", reportSections[i].title, len(group))
		if markdown {
			fmt.Fprintf(&b, "### %s\n\n", title)
		} else {
			fmt.Fprintf(&b, "%s\n", title)
		}
		for _, c := range group {
			if markdown {
				fmt.Fprintf(&b, "- %s\n", c.text("`", "`"))
			} else {
				fmt.Fprintf(&b, "  %s\n", c)
			}
		}
	}
	return b.String()
}

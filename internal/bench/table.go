package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// printTable prints a row for each figure.
func printTable(w io.Writer, figures []figure, measured *results) {
	rows := []row{{"what", "measured", "figure", "ok?", "of which"}}
	var widths [len(row{}) - 1]int // the last cell may be of any
	for _, f := range figures {
		rows = append(rows, f.row(measured))
	}
	for i, r := range rows {
		if i > 0 && figures[i-1].bench == "" {
			continue
		}
		for i := range widths {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i]))
		}
	}
	for i, r := range rows {
		if i > 0 && figures[i-1].bench == "" {
			fmt.Fprintf(w, "\n%s\n", r[0])
			continue
		}
		var line strings.Builder
		for i, width := range widths {
			fmt.Fprintf(&line, "%-*s  ", width, r[i])
		}
		fmt.Fprintln(w, strings.TrimRight(line.String()+r[len(widths)], " "))
	}
}

type row [5]string

func (f figure) row(measured *results) row {
	if f.bench == "" {
		return row{f.what}
	}
	found, missing := measured.find(f.bench, f.unit)
	if len(found) == 0 {
		return row{f.what, "-", f.limit(), "-", missing}
	}
	// Of several releases the one that is furthest from the figure counts.
	worst := found[0].value
	var each []string
	for _, x := range found {
		if f.least != 0 {
			worst = min(worst, x.value)
		} else {
			worst = max(worst, x.value)
		}
		each = append(each, strings.TrimSpace(x.which+" "+f.show(x.value)))
	}
	ok := "yes"
	switch {
	case f.most == 0 && f.least == 0:
		ok = ""
	case f.most != 0 && rounded(worst, f) > f.most, f.least != 0 && rounded(worst, f) < f.least:
		ok = "no"
	}
	of := ""
	if strings.Contains(f.bench, "*") {
		of = strings.Join(each, ", ")
	}
	return row{f.what, f.show(worst), f.limit(), ok, of}
}

// limit is the figure, for people.
func (f figure) limit() string {
	switch {
	case f.most != 0:
		return "≤ " + f.scale.format(f.most)
	case f.least != 0:
		return "≥ " + f.scale.format(f.least)
	}
	return ""
}

func (f figure) show(value float64) string { return f.scale.format(value / f.scale.size) }

// rounded is a value as it is shown, so that what looks equal is.
func rounded(value float64, f figure) float64 {
	x, _ := strconv.ParseFloat(strconv.FormatFloat(value/f.scale.size, 'f', f.scale.digits, 64), 64)
	return x
}

// A scale says how a value is shown.
type scale struct {
	size   float64 // of the unit that is shown, in the unit that is measured
	digits int     // after the decimal point
	unit   string
}

func (s scale) format(x float64) string {
	text := strconv.FormatFloat(x, 'f', s.digits, 64)
	whole, rest, _ := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	if s.unit != "" && s.unit != "/s" {
		whole += " "
	}
	return whole + s.unit
}

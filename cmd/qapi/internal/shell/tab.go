package shell

import (
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/cmd/qapi/internal/live"
)

// key is called for each key; Tab completes the word before the cursor.
func (t *terminal) key(line string, pos int, key rune) (string, int, bool) {
	if key != '\t' {
		t.listed = ""
		return "", 0, false
	}
	ctx, cancel := context.WithTimeout(context.Background(), live.Limit)
	defer cancel()
	before, typed, found := t.candidates(ctx, line, pos)
	if len(found) == 0 {
		return line, pos, true
	}
	common := found[0].Word
	for _, c := range found[1:] {
		common = commonPrefix(common, c.Word)
	}
	if len(found) > 1 && common == typed {
		if t.listed != line[:pos] { // otherwise the list is already shown
			t.listed = line[:pos]
			t.list(found)
		}
		return line, pos, true
	}
	completed := before + quote(common)
	if len(found) == 1 && !found[0].Open {
		completed += " "
		if strings.HasPrefix(line[pos:], " ") {
			pos++ // the existing blank
		}
	}
	return completed + line[pos:], len(completed), true
}

// candidates returns the text before the word at the cursor, that word up to the cursor without its
// quotes, and the words that can replace it.
func (t *terminal) candidates(ctx context.Context, line string, pos int) (before, typed string, found []complete.Candidate) {
	words, err := split(line[:pos])
	last := word{from: pos}
	if n := len(words); n > 0 && (err != nil || !endsInBlank(line[:pos])) {
		words, last = words[:n-1], words[n-1]
	}
	args := texts(words)
	if after, err := split(line[pos:]); err == nil && len(args) > 0 {
		args = append(args, texts(after)...)
	}
	return line[:last.from], last.text, t.complete(ctx, args, last.text)
}

// endsInBlank reports whether a text ends in a blank that separates words.
func endsInBlank(text string) bool {
	trimmed := strings.TrimRight(text, blanks)
	backslashes := len(trimmed) - len(strings.TrimRight(trimmed, `\`))
	return len(text)-len(trimmed) > backslashes%2
}

// list shows candidates in columns.
func (t *terminal) list(found []complete.Candidate) {
	var words []string
	for _, c := range found {
		words = append(words, c.Show)
	}
	width, rows := t.screen.Size()
	t.print(columns(slices.Compact(words), width-1, max(3, rows-4)))
}

// commonPrefix returns the longest text with which both begin, in whole characters.
func commonPrefix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && !utf8.RuneStart(a[n]) {
		n--
	}
	return a[:n]
}

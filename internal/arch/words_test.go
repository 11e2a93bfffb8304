package arch

import (
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// wrongWords are patterns that are always wrong in a comment, with what to write instead:
// see "Words" in CONTRIBUTING.md. They match lower-case text with single spaces.
var wrongWords = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\b(there )?(is|are|was|were) no ([a-z]+)`), "is not a"},
	{regexp.MustCompile(`\btells? (whether|which|what|how|when|if)\b`), "reports"},
	{regexp.MustCompile(`\bbeside (itself|themselves)\b`), "at the same time"},
	{regexp.MustCompile(`\bfor ever\b`), "forever"},
	{regexp.MustCompile(`\bbut for\b`), "except"},
	{regexp.MustCompile(`\banew\b`), "again"},
	{regexp.MustCompile(`\b(is|are|was|were|be) passed over\b`), "ignore, skip"},
	{regexp.MustCompile(`\bright behind\b|\bbehind ((the|each|its|both|that) )?(reply|replies|quer(y|ies)|events?|commands?|both)\b`), "after"},
}

// TestWords finds words in comments and documents that CONTRIBUTING.md rules out.
func TestWords(t *testing.T) {
	walk(t, func(path string) {
		rel, err := filepath.Rel(root, path)
		require.NoError(t, err)
		rel = filepath.ToSlash(rel)
		if strings.HasSuffix(rel, "_gen.go") || strings.Contains(rel, "testdata/") || rel == "CONTRIBUTING.md" {
			return
		}
		switch filepath.Ext(rel) {
		case ".go":
			wordsOfGo(t, path, rel)
		case ".md":
			wordsOfText(t, path, rel)
		}
	})
}

func wordsOfGo(t *testing.T, path, rel string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, rel, text, parser.ParseComments|parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, comment := range file.Comments {
		assert.Empty(t, wrongIn(prose(comment.Text())), "%v", files.Position(comment.Pos()))
	}
}

// wordsOfText checks each paragraph.
func wordsOfText(t *testing.T, path, rel string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	line := 1
	for paragraph := range strings.SplitSeq(string(text), "\n\n") {
		assert.Empty(t, wrongIn(prose(paragraph)), "%s:%d", rel, line)
		line += strings.Count(paragraph, "\n") + 2
	}
}

// prose returns a text in lower case, with single spaces.
func prose(text string) string { return strings.Join(strings.Fields(strings.ToLower(text)), " ") }

// wrongIn returns a message for each wrong pattern in a text.
func wrongIn(text string) []string {
	var wrong []string
	for i, w := range wrongWords {
		for _, match := range w.pattern.FindAllStringSubmatch(text, -1) {
			if i == 0 && (match[1] != "" || isRightNo(match[3])) {
				continue
			}
			wrong = append(wrong, fmt.Sprintf("%q: write %q", match[0], w.instead))
		}
	}
	return wrong
}

// isRightNo reports whether "is no" is right before a word: "is no longer", "is no more than".
func isRightNo(next string) bool { return next == "more" || strings.HasSuffix(next, "er") }

// TestWrongWords checks that the patterns find what they are for, and nothing else.
func TestWrongWords(t *testing.T) {
	for text, want := range map[string]int{
		"an error that is no text":               1,
		"what is no reply is no refusal":         2,
		"there is no such file":                  0,
		"the file is no longer there":            0,
		"the program is no larger than":          0,
		"it is no more than that":                0,
		"isnil tells whether x is nil":           1,
		"a program that tells qemu to stop":      0,
		"a handler never runs beside itself":     1,
		"it waits for ever":                      1,
		"for every event":                        0,
		"all but for one":                        1,
		"unknown options are passed over":        1,
		"a disk behind a filter":                 0,
		"an event right behind the reply":        1,
		"it goes on behind each query":           1,
		"it connects anew, and renewed: not new": 1,
	} {
		assert.Len(t, wrongIn(text), want, text)
	}
}

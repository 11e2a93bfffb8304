package shell

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/internal/regular"
)

// remember keeps the line of a command in the history, unless it has secrets. A line that was
// not understood is kept only in memory: a misspelt argument could be a secret.
func (s *session) remember(line string, args []string, understood bool) {
	if len(args) > 0 && !wordsHaveSecrets(args) {
		s.frontend.keep(line, understood)
	}
}

// hasSecrets reports whether a message has secrets.
func hasSecrets(message []byte) bool {
	clean := jsontext.Value(bytes.Clone(message))
	if clean.Compact() != nil {
		return true // it is not JSON, so it cannot be searched for secrets
	}
	request := redact.ReadRequest(message)
	return request.HasSecrets() || !bytes.Equal(redact.JSON(message), clean)
}

// wordsHaveSecrets reports whether a command, as words, has secrets. It does not need the schema, so it
// also finds them in commands that are not understood.
func wordsHaveSecrets(args []string) bool {
	tree := map[string]any{}
	for _, arg := range args[1:] {
		if strings.HasPrefix(arg, "{") {
			whole := struct {
				Execute   string         `json:"execute"`
				Arguments jsontext.Value `json:"arguments"`
			}{args[0], jsontext.Value(arg)}
			if message, err := json.Marshal(whole); err != nil || hasSecrets(message) {
				return true
			}
			continue
		}
		key, value, ok := strings.Cut(arg, "=")
		key, isJSON := strings.CutSuffix(key, ":")
		elsewhere := !isJSON && (value == "-" || strings.HasPrefix(value, "@"))
		if ok && !elsewhere && !plant(tree, key, value, isJSON) {
			return true // it is not clear which value belongs to which name
		}
	}
	message, err := json.Marshal(map[string]any{"execute": args[0], "arguments": tree})
	return err != nil || hasSecrets(message)
}

// plant puts a value into a tree of objects, and reports whether its place was free.
func plant(tree map[string]any, key, value string, isJSON bool) bool {
	path := strings.Split(key, ".")
	for _, name := range path[:len(path)-1] {
		if _, taken := tree[name]; !taken {
			tree[name] = map[string]any{}
		}
		below, ok := tree[name].(map[string]any)
		if !ok {
			return false
		}
		tree = below
	}
	last := path[len(path)-1]
	_, taken := tree[last]
	tree[last] = value
	if isJSON {
		tree[last] = jsontext.Value(value)
	}
	return !taken
}

// A history has the lines that were typed, in this session and in earlier ones.
type history struct {
	lines []string
	file  *os.File // nil: there are no earlier lines, and those of this session are not kept
}

// mostLines is how many lines of earlier sessions are kept.
const mostLines = 1000

// openHistory reads the file of earlier sessions, which only its owner can read. After an error there
// is no history, but the session continues.
func openHistory(path string) (*history, error) {
	h := &history{}
	if path == "" {
		return h, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return h, err
	}
	text, err := regular.ReadFile(os.DirFS(filepath.Dir(path)), filepath.Base(path), 16<<20)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return h, err
	}
	h.lines = strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
	if len(h.lines) > 2*mostLines {
		h.lines = h.lines[len(h.lines)-mostLines:]
		if err := rewrite(path, strings.Join(h.lines, "\n")+"\n"); err != nil {
			return h, err
		}
	}
	h.file, err = os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return h, err
	}
	return h, h.file.Chmod(0o600)
}

// rewrite replaces the content of the file in one step.
func rewrite(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".history") // its mode is 0600
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// keep adds a line; save writes it to the file, too.
func (h *history) keep(line string, save bool) {
	line = strings.Join(strings.FieldsFunc(line, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	if len(h.lines) > 0 && h.lines[len(h.lines)-1] == line {
		return
	}
	h.lines = append(h.lines, line)
	if save && h.file != nil {
		_, _ = h.file.WriteString(line + "\n") // if the disk is full, only the history is lost
	}
}

func (h *history) close() {
	if h.file != nil {
		_ = h.file.Close() // if writing fails, only the history is lost
	}
}

// Add is called for each line that was typed. It does nothing: whether a line is kept is decided
// after it is parsed.
func (h *history) Add(string) {}

// Len returns how many lines there are.
func (h *history) Len() int { return len(h.lines) }

// At returns a line; the newest is 0.
func (h *history) At(i int) string { return h.lines[len(h.lines)-1-i] }

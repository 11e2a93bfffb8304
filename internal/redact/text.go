package redact

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// suspicious has the bytes of which a text with a secret has at least one: other texts are not searched.
const suspicious = ":{="

// Text returns a text, such as that of an error, without the secrets that it recognises by
// their form: those in JSON objects, as in the json: names that QEMU gives to images; user
// and password in URLs; the query of a web URL, which may be a signature; the key in a
// name of RBD; the command of exec:; and options of QEMU's command line, which QEMU quotes
// when it refuses them.
func Text(s string) string {
	if !strings.ContainsAny(s, suspicious) {
		return s
	}
	var out strings.Builder
	var dec jsontext.Decoder
	for text := []byte(s); ; {
		begin := indexObject(s)
		out.WriteString(hideNames(s[:begin]))
		if s, text = s[begin:], text[begin:]; s == "" {
			return out.String()
		}
		dec.Reset(bytes.NewBuffer(text), wirejson.Lenient())
		object, err := dec.ReadValue()
		if err != nil { // cut off, or with single quotes, which QEMU accepts
			out.WriteString(Word)
			return out.String()
		}
		out.Write(hideIn(object))
		s, text = s[len(object):], text[len(object):]
	}
}

// indexObject returns the index of the first JSON object with members, or the text's length.
func indexObject(s string) int {
	for i := 0; ; i++ {
		next := strings.IndexByte(s[i:], '{')
		if next < 0 {
			return len(s)
		}
		i += next
		rest := strings.TrimLeft(s[i+1:min(len(s), i+100)], " \t\r\n")
		if len(rest) > 1 && (rest[0] == '"' || rest[0] == '\'') && (rest[1] == '\\' || isLetter(rest[1])) {
			return i
		}
	}
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// hideIn is like JSON, but does not change a text without secrets.
func hideIn(object []byte) []byte {
	compact := jsontext.Value(bytes.Clone(object))
	if clean := JSON(object); compact.Compact() != nil || !bytes.Equal(clean, compact) {
		return clean
	}
	return object
}

// hideNames hides secrets in the names of images and in addresses.
func hideNames(s string) string {
	s = hideKeys(hideQueries(hideUsers(hideCommand(s))))
	for _, mark := range options {
		s = hideOption(s, mark)
	}
	return s
}

// ends are the bytes that end a name in a text.
const ends = " \t\r\n\"'<>"

// hideCommand hides the text after exec: at the beginning of a name.
func hideCommand(s string) string {
	const word = "exec:"
	for from := 0; ; from += len(word) {
		i := strings.Index(s[from:], word)
		if i < 0 {
			return s
		}
		from += i
		rest := s[from+len(word):]
		if from == 0 || rest != "" && rest[0] != ' ' && strings.IndexByte(ends, s[from-1]) >= 0 {
			return s[:from+len(word)] + Word
		}
	}
}

// hideKeys hides the key in a name such as rbd:pool/image:id=admin:key=…:conf=….
func hideKeys(s string) string {
	const mark = ":key="
	begin := strings.Index(s, "rbd:")
	if begin < 0 {
		return s
	}
	var out strings.Builder
	out.WriteString(s[:begin])
	for s = s[begin:]; ; {
		i := strings.Index(s, mark)
		if i < 0 {
			return out.String() + s
		}
		i += len(mark)
		out.WriteString(s[:i] + Word)
		s = s[indexAny(s, i, ":"+ends):]
	}
}

// options are the options of QEMU's command line with a secret, and the text before them:
// -vnc and -spice, -object secret, -drive, -fw_cfg, -smbios.
var options = []string{",password=", " password=", ",data=", ",cookie=", ".cookie=", ",string=", ",value="}

// hideOption hides the values of an option.
func hideOption(s, mark string) string {
	var out strings.Builder
	for {
		i := strings.Index(s, mark)
		if i < 0 {
			return out.String() + s
		}
		i += len(mark)
		out.WriteString(s[:i] + Word)
		s = s[endOfOption(s, i):]
	}
}

// endOfOption returns the end of the value of an option that begins at an index: two commas
// are a comma in the value.
func endOfOption(s string, at int) int {
	for ; at < len(s); at++ {
		next := byte(' ')
		if at+1 < len(s) {
			next = s[at+1]
		}
		switch c := s[at]; {
		case c == ',' && next == ',':
			at++
		case c == ',', c == ':' && next == ' ', c == '\n', c == '"', c == '\'':
			return at
		}
	}
	return len(s)
}

// indexAny returns the index of the first of some bytes in s from an index on, or the length of s.
func indexAny(s string, from int, bytes string) int {
	if i := strings.IndexAny(s[from:], bytes); i >= 0 {
		return from + i
	}
	return len(s)
}

// hideUsers hides user and password in URLs.
func hideUsers(s string) string {
	const mark = "://"
	var out strings.Builder
	for {
		i := strings.Index(s, mark)
		if i < 0 {
			break
		}
		i += len(mark)
		out.WriteString(s[:i])
		s = s[i:]
		end := indexAny(s, 0, "/?#"+ends)
		if !strings.Contains(s[:end], "@") && !isHost(s[:end]) { // a password with a slash
			end = indexAny(s, 0, ends)
		}
		if at := strings.LastIndexByte(s[:end], '@'); at >= 0 {
			out.WriteString(Word)
			s = s[at:]
		} else {
			out.WriteString(s[:end])
			s = s[end:]
		}
	}
	return out.String() + s
}

// isHost reports whether a text can be a host, or one with its port.
func isHost(s string) bool {
	_, port, _ := strings.Cut(s, ":")
	return strings.HasPrefix(s, "[") || strings.Trim(port, "0123456789") == ""
}

// hideQueries hides the queries of web URLs.
func hideQueries(s string) string {
	const mark = "://"
	var out strings.Builder
	for {
		i := strings.Index(s, mark)
		if i < 0 {
			break
		}
		end := indexAny(s, i, ends)
		if query := strings.IndexByte(s[i:end], '?'); query >= 0 && isWeb(s[:i]) {
			out.WriteString(s[:i+query+1] + Word)
		} else {
			out.WriteString(s[:end])
		}
		s = s[end:]
	}
	return out.String() + s
}

// isWeb reports whether a text ends in the scheme of a web or file server.
func isWeb(s string) bool {
	s = strings.ToLower(s[max(0, len(s)-5):])
	for _, scheme := range []string{"http", "https", "ftp", "ftps"} {
		if strings.HasSuffix(s, scheme) {
			return true
		}
	}
	return false
}

package cmdline

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// A pair is one of the settings key=value that an option's text consists of.
type pair struct{ key, value string }

// lists is how the key=value form of an option writes lists and objects inside the option's object.
type lists int

const (
	flat     lists = iota // there are none
	repeated              // the key of a list is repeated for each element; an object in a list has one member, which is the element
	dotted                // a.0=x,a.1=y and a.b=x
)

// flatten returns the pairs of a JSON object.
func flatten(object []byte, l lists) ([]pair, error) {
	var pairs []pair
	err := members(object, func(name string, value jsontext.Value) error {
		return l.value(&pairs, name, value)
	})
	return pairs, err
}

// value adds the pairs of a value.
func (l lists) value(pairs *[]pair, key string, value jsontext.Value) error {
	switch kind := value.Kind(); {
	case kind == '[' && l == repeated:
		return elements(value, func(_ int, element jsontext.Value) error {
			return l.element(pairs, key, element)
		})
	case kind == '[' && l == dotted:
		if len(value) == len("[]") {
			return fmt.Errorf("'%s' is an empty list, which key=value cannot express", key)
		}
		return elements(value, func(i int, element jsontext.Value) error {
			return l.value(pairs, key+"."+strconv.Itoa(i), element)
		})
	case kind == '{' && l == dotted:
		return members(value, func(name string, member jsontext.Value) error {
			return l.value(pairs, key+"."+name, member)
		})
	}
	text, err := scalar(key, value)
	if err == nil {
		*pairs = append(*pairs, pair{key, text})
	}
	return err
}

// element adds the pair of an element of a list whose key is repeated.
func (l lists) element(pairs *[]pair, key string, element jsontext.Value) error {
	if element.Kind() != '{' {
		return flat.value(pairs, key, element)
	}
	n := 0
	err := members(element, func(_ string, member jsontext.Value) error {
		n++
		return flat.value(pairs, key, member)
	})
	if err == nil && n != 1 {
		err = fmt.Errorf("'%s' is a list of objects, which key=value cannot express", key)
	}
	return err
}

// scalar returns a value, which must not be a list or an object, as it is written in key=value.
func scalar(key string, value jsontext.Value) (string, error) {
	switch value.Kind() {
	case '"':
		return string(wirejson.Unquote(value)), nil
	case 't':
		return "on", nil
	case 'f':
		return "off", nil
	case '0':
		return string(value), nil
	case '[':
		return "", fmt.Errorf("'%s' is a list, which key=value cannot express", key)
	case '{':
		return "", fmt.Errorf("'%s' is an object, which key=value cannot express", key)
	}
	return "", fmt.Errorf("'%s' is null, which key=value cannot express", key)
}

// members calls f for each member of a JSON object, in order.
func members(object []byte, f func(name string, value jsontext.Value) error) error {
	dec := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		name, err := dec.ReadToken()
		if err != nil {
			return err
		}
		key := name.String()
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := f(key, value); err != nil {
			return err
		}
	}
	return nil
}

// elements calls f for each element of a JSON list.
func elements(list []byte, f func(i int, value jsontext.Value) error) error {
	dec := jsontext.NewDecoder(bytes.NewReader(list))
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for i := 0; dec.PeekKind() != ']'; i++ {
		value, err := dec.ReadValue()
		if err != nil {
			return err
		}
		if err := f(i, value); err != nil {
			return err
		}
	}
	return nil
}

// join writes a first value without a key, unless it is empty, and then pairs. The commas of values are doubled,
// as QEMU reads them.
func join(first string, pairs []pair) (string, error) {
	var list []string
	if first != "" {
		list = append(list, Escape(first))
	}
	for _, p := range pairs {
		if err := checkKey(p.key); err != nil {
			return "", err
		}
		list = append(list, p.key+"="+Escape(p.value))
	}
	if len(list) == 0 {
		return "", errors.New("nothing is set")
	}
	return strings.Join(list, ","), nil
}

// split is the reverse of join, as QEMU reads it. A part without an = is a value without a key.
func split(text string) []pair {
	var pairs []pair
	for text != "" {
		var p pair
		if end := strings.IndexAny(text, "=,"); end >= 0 && text[end] == '=' {
			p.key, text = text[:end], text[end+1:]
		}
		end := endOfValue(text)
		p.value = strings.ReplaceAll(text[:end], ",,", ",")
		pairs = append(pairs, p)
		text = text[min(end+1, len(text)):]
	}
	return pairs
}

// endOfValue returns the index of the first comma that is not doubled, or the text's length.
func endOfValue(text string) int {
	for i := 0; i < len(text); i++ {
		if text[i] != ',' {
			continue
		}
		if i+1 == len(text) || text[i+1] != ',' {
			return i
		}
		i++
	}
	return len(text)
}

// checkKey returns an error for a text that cannot be a key. The keys of QEMU 5.2's arrays contain brackets.
func checkKey(key string) error {
	if key == "" || strings.Trim(key, letters+"._-[]") != "" {
		return fmt.Errorf("%q cannot be the name of a property", key)
	}
	return nil
}

// checkName returns an error for a text that is not the plain name of a type, a driver or a machine. The name comes
// first in its option's text, without a key, where other texts would mean something else: help makes QEMU
// print a list, and a name that contains an = would be a pair.
func checkName(what, name string) error {
	if name == "" || name == "help" || strings.Trim(name, letters+"._-+") != "" {
		return fmt.Errorf("%s: %q is not a name", what, name)
	}
	return nil
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

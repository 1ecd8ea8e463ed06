package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bounds of what a body may hold, so that a small body cannot become a large
// tree.
const (
	maxDepth  = 32
	maxValues = 100_000
)

// parseJSON reads one JSON value and nothing after it: nil, bool, string,
// json.Number, []any or map[string]any. Where encoding/json is lenient this is
// not: the text is UTF-8, and no object names a key twice, at any depth.
// Refusals carry the pointer of what is to blame.
func parseJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, badBody("", "the body is not valid UTF-8")
	}
	// The decoder's tokens are not a whole grammar; Valid is, trailing data
	// included.
	if !json.Valid(data) {
		return nil, badBody("", "the body is not one JSON value")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	p := treeReader{decoder: decoder, values: maxValues}
	value, err := p.value(maxDepth)
	if at, ok := errors.AsType[*located](err); ok {
		return nil, badBody(at.pointer, at.message)
	}
	return value, err
}

type treeReader struct {
	decoder *json.Decoder
	values  int // how many more there may be
}

// located is a refusal that learns its place as it travels outwards.
type located struct {
	pointer, message string
}

func (l *located) Error() string { return l.message }

// below says that err happened in the member or item of that name.
func below(name string, err error) error {
	if at, ok := errors.AsType[*located](err); ok {
		return &located{pointer: "/" + pointerToken(name) + at.pointer, message: at.message}
	}
	return err
}

func pointerToken(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

func (p *treeReader) value(depth int) (any, error) {
	token, err := p.decoder.Token()
	if err != nil {
		return nil, tokenError(err)
	}
	if p.values--; p.values < 0 {
		return nil, &located{message: "the body holds too many values"}
	}
	if depth == 0 {
		return nil, &located{message: "the body is nested too deeply"}
	}
	switch token {
	case json.Delim('{'):
		return p.object(depth)
	case json.Delim('['):
		return p.array(depth)
	}
	return token, nil
}

func (p *treeReader) object(depth int) (any, error) {
	object := map[string]any{}
	for p.decoder.More() {
		token, err := p.decoder.Token()
		if err != nil {
			return nil, tokenError(err)
		}
		key, _ := token.(string)
		if _, twice := object[key]; twice {
			return nil, below(key, &located{message: "the key is there twice"})
		}
		if object[key], err = p.value(depth - 1); err != nil {
			return nil, below(key, err)
		}
	}
	_, err := p.decoder.Token()
	return object, tokenError(err)
}

func (p *treeReader) array(depth int) (any, error) {
	array := []any{}
	for i := 0; p.decoder.More(); i++ {
		item, err := p.value(depth - 1)
		if err != nil {
			return nil, below(strconv.Itoa(i), err)
		}
		array = append(array, item)
	}
	_, err := p.decoder.Token()
	return array, tokenError(err)
}

// tokenError is what a valid text doesn't lead to; a body that does is refused
// all the same.
func tokenError(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return &located{message: "the body is not one JSON value"}
	}
	return &located{message: "the body is not JSON"}
}

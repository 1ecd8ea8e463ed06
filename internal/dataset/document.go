package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"hither/internal/iam"
)

// plain is a text without the mark that some editors begin it with, and with
// one kind of line end, so that everybody counts lines alike.
func plain(data []byte) []byte {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if bytes.IndexByte(data, '\r') < 0 {
		return data
	}
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	return bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
}

// document reads a text as one tree of nodes, each with its line. A text that
// is JSON is read as JSON: YAML's reader takes most of it, but neither escaped
// surrogate pairs nor long keys.
func document(data []byte) (*yaml.Node, error) {
	if err := readable(data); err != nil {
		return nil, err
	}
	text := bytes.TrimLeft(data, " \t\r\n")
	braced := len(text) > 0 && (text[0] == '{' || text[0] == '[')
	if braced && json.Valid(data) {
		return jsonTree(data)
	}
	root, err := yamlTree(data)
	if err != nil && braced && looksLikeJSON(text) {
		return nil, jsonProblem(data)
	}
	return root, err
}

// readable refuses bytes for which YAML's reader gives no line.
func readable(data []byte) error {
	line := 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return iam.Problems{{Line: line, Message: "must be UTF-8 text"}}
		case r == '\n':
			line++
		case r < ' ' && r != '\t' || r == 0x7f:
			return iam.Problems{{Line: line, Message: fmt.Sprintf("must not hold the control character %U", r)}}
		}
		i += size
	}
	return nil
}

func yamlTree(data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root, more yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil, empty()
	case err != nil:
		return nil, yamlProblem(data, err)
	}
	switch err := decoder.Decode(&more); {
	case err == nil:
		return nil, iam.Problems{{Line: more.Line, Message: "a second document begins here; a file holds one"}}
	case !errors.Is(err, io.EOF):
		return nil, yamlProblem(data, err)
	}
	if root.Content[0].ShortTag() == tagNull {
		return nil, empty()
	}
	return root.Content[0], nil
}

func empty() error { return iam.Problems{{Line: 1, Message: "the file is empty"}} }

// yamlProblem finds the line of a syntax error. The library gives it in its
// text only: counted from one for what its scanner meets and from zero for what
// its parser meets, not at all for the first line, and for an alias never.
func yamlProblem(data []byte, err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if found := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(message); found != nil {
		line, _ = strconv.Atoi(found[1]) // digits; a line count fits
		message = strings.TrimPrefix(message, found[0])
		if strings.HasPrefix(message, "did not find expected") {
			line++
		}
		line = min(line, lineAt(data, len(data))) // the end of a text counts as a line more
	}
	if name, ok := strings.CutPrefix(message, "unknown anchor '"); ok {
		name, _, _ = strings.Cut(name, "'")
		return iam.Problems{{Line: lineAt(data, bytes.Index(data, []byte("*"+name))), Message: noAliases}}
	}
	return iam.Problems{{Line: line, Message: "this is not YAML: " + message}}
}

// lineAt is the line, from one, in which the byte at offset stands.
func lineAt(data []byte, offset int) int {
	return 1 + bytes.Count(data[:min(max(offset, 0), len(data))], []byte("\n"))
}

package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"hither/internal/iam"
)

// maxDepth is deeper than any field stands.
const maxDepth = 16

// jsonTree reads valid JSON as the nodes that YAML's reader would make of it,
// keys that come twice among them.
func jsonTree(data []byte) (*yaml.Node, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	tree := jsonReader{data: data, decoder: decoder, line: 1}
	return tree.value(0)
}

type jsonReader struct {
	data    []byte
	decoder *json.Decoder
	counted int // bytes of data whose lines are in line
	line    int
}

// value reads one value. No token of JSON holds a line break, so the line in
// which one ends is the one in which it stands.
func (r *jsonReader) value(depth int) (*yaml.Node, error) {
	token, err := r.decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	end := int(r.decoder.InputOffset())
	r.line += bytes.Count(r.data[r.counted:end], []byte("\n"))
	r.counted = end
	node := &yaml.Node{Kind: yaml.ScalarNode, Line: r.line}
	switch token := token.(type) {
	case json.Delim:
		return r.children(node, token, depth)
	case string:
		node.Tag, node.Value = tagText, token
	case json.Number:
		node.Tag, node.Value = tagFloat, token.String()
		if _, err := token.Int64(); err == nil {
			node.Tag = tagInt
		}
	case bool:
		node.Tag, node.Value = tagBool, strconv.FormatBool(token)
	default:
		node.Tag, node.Value = tagNull, "null"
	}
	return node, nil
}

func (r *jsonReader) children(node *yaml.Node, open json.Delim, depth int) (*yaml.Node, error) {
	if depth == maxDepth {
		return nil, iam.Problems{{Line: node.Line, Message: "is nested too deeply"}}
	}
	node.Kind, node.Tag = yaml.MappingNode, tagMapping
	if open == '[' {
		node.Kind, node.Tag = yaml.SequenceNode, tagList
	}
	for r.decoder.More() {
		child, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, child)
	}
	if _, err := r.decoder.Token(); err != nil { // the closing bracket
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	return node, nil
}

// looksLikeJSON reports whether a text that begins with a bracket is meant as
// JSON rather than as YAML in its flow style.
func looksLikeJSON(text []byte) bool {
	rest := bytes.TrimLeft(text[1:], " \t\r\n")
	return len(rest) == 0 || strings.IndexByte(`"{[]}`, rest[0]) >= 0
}

// jsonProblem says where a text stops being JSON.
func jsonProblem(data []byte) error {
	err := json.Unmarshal(data, new(json.RawMessage))
	line := lineAt(data, len(data))
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		line = lineAt(data, int(syntax.Offset)-1)
	}
	return iam.Problems{{Line: line, Message: fmt.Sprintf("this is not JSON: %v", err)}}
}

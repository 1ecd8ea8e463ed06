package dataset

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"hither/internal/iam"
)

// What YAML calls the types of values.
const (
	tagText    = "!!str"
	tagInt     = "!!int"
	tagFloat   = "!!float"
	tagBool    = "!!bool"
	tagNull    = "!!null"
	tagTime    = "!!timestamp"
	tagList    = "!!seq"
	tagMapping = "!!map"
)

const noAliases = "anchors and aliases (&name, *name) are not read; write the value out"

// reader collects what is wrong with a document.
type reader struct {
	last     int // line of the document; YAML counts the end as one more
	problems iam.Problems
}

func (r *reader) problemf(line int, path, format string, args ...any) {
	if len(r.problems) == maxProblems {
		return
	}
	message := fmt.Sprintf(format, args...)
	if path != "" {
		message = path + ": " + message
	}
	r.problems = append(r.problems, iam.Problem{Line: min(line, r.last), Message: message})
}

func (r *reader) result() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b iam.Problem) int { return a.Line - b.Line })
	return r.problems
}

// field is one field of a row T, and how its value gets there.
type field[T any] struct {
	name     string
	required bool
	read     func(r *reader, path string, n *yaml.Node, row *T)
}

// mapping reads the fields of a row. A field that is null counts as absent.
func mapping[T any](r *reader, path string, n *yaml.Node, fields []field[T], row *T) {
	if !r.is(path, n, tagMapping) {
		return
	}
	seen := make(map[string]int, len(n.Content)/2)
	given := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := slices.IndexFunc(fields, func(f field[T]) bool { return key.Kind == yaml.ScalarNode && f.name == key.Value })
		line, twice := seen[key.Value]
		switch {
		case at < 0:
			r.problemf(key.Line, path, "unknown field %s; known here: %s", quote(key), names(fields))
		case twice:
			r.problemf(key.Line, join(path, key.Value), "stands here twice, first on line %d", line)
		case value.Kind == yaml.ScalarNode && value.ShortTag() == tagNull:
			seen[key.Value] = key.Line
		default:
			seen[key.Value], given[key.Value] = key.Line, true
			fields[at].read(r, join(path, key.Value), value, row)
		}
	}
	for _, f := range fields {
		if f.required && !given[f.name] {
			r.problemf(n.Line, join(path, f.name), "is required")
		}
	}
}

// entries reads a list of rows. fresh makes a row with its defaults.
func entries[T any](r *reader, path string, n *yaml.Node, fields []field[T], fresh func(line int) T) []T {
	if !r.is(path, n, tagList) {
		return nil
	}
	rows := make([]T, len(n.Content))
	for i, item := range n.Content {
		rows[i] = fresh(item.Line)
		if item.Kind == yaml.MappingNode {
			mapping(r, "", item, fields, &rows[i])
		} else { // here alone the path says more than the line does
			r.is(path, item, tagMapping)
		}
	}
	return rows
}

// is reports whether a node has one of the types, and says so where it hasn't.
func (r *reader) is(path string, n *yaml.Node, tags ...string) bool {
	switch {
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.problemf(n.Line, path, noAliases)
		return false
	case !slices.Contains(tags, n.ShortTag()) || (n.Kind == yaml.ScalarNode) == (tags[0] == tagMapping || tags[0] == tagList):
		r.problemf(n.Line, path, "must be %s, not %s", typeName(tags[0]), typeName(n.ShortTag()))
		return false
	}
	return true
}

// typeName is a type in the words of the messages.
func typeName(tag string) string {
	switch tag {
	case tagText:
		return "text"
	case tagInt:
		return "a whole number"
	case tagFloat:
		return "a number"
	case tagBool:
		return "true or false"
	case tagNull:
		return "empty"
	case tagTime:
		return "a time"
	case tagList:
		return "a list"
	case tagMapping:
		return "a mapping of fields"
	}
	return fmt.Sprintf("of the type %q", shorten(tag)) // the file's own word: a tag may hold any character
}

func names[T any](fields []field[T]) string {
	list := make([]string, len(fields))
	for i, f := range fields {
		list[i] = f.name
	}
	return strings.Join(list, ", ")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// quote is a key as a message shows it.
func quote(key *yaml.Node) string {
	if key.Kind != yaml.ScalarNode {
		return "that is " + typeName(key.ShortTag())
	}
	return fmt.Sprintf("%q", shorten(key.Value))
}

// shorten keeps a message readable whatever the file holds.
func shorten(s string) string {
	const most = 60
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

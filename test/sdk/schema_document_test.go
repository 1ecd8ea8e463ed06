package sdk_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// document is an OpenAPI description as plain JSON: what two descriptions mean is compared here, and a library that
// understands them would hide how they say it.
type document struct{ root object }

type object = map[string]any

func parse(t *testing.T, data []byte) document {
	t.Helper()
	var root object
	if err := json.Unmarshal(data, &root); err != nil {
		t.Fatal(err)
	}
	return document{root: root}
}

// operation is one operation together with the parameters of its path.
type operation struct {
	path       string
	body       object
	parameters []object
}

var parameterName = regexp.MustCompile(`\{([^}]*)\}`)

// operations lists the operations by method and path, with the names of path parameters left out. Paths with a base of
// their own are none of the API's. Of two that differ in these names only, the second is under its name with a "!".
func (d document) operations() map[string]operation {
	found := map[string]operation{}
	paths := child(d.root, "paths")
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item := child(paths, path)
		if item["servers"] != nil {
			continue
		}
		for _, method := range []string{"get", "put", "post", "delete", "patch"} {
			body := child(item, method)
			if body == nil {
				continue
			}
			name := strings.ToUpper(method) + " " + parameterName.ReplaceAllString(path, "{}")
			if _, double := found[name]; double {
				name += "!"
			}
			parameters := append(d.objects(item["parameters"]), d.objects(body["parameters"])...)
			found[name] = operation{path: path, body: body, parameters: parameters}
		}
	}
	return found
}

// content is the JSON schema of a request body or a response.
func (d document) content(of any) any {
	return child(child(d.resolve(of), "content"), "application/json")["schema"]
}

// objects resolves a list.
func (d document) objects(list any) []object {
	entries, _ := list.([]any)
	found := make([]object, 0, len(entries))
	for _, entry := range entries {
		found = append(found, d.resolve(entry))
	}
	return found
}

// resolve follows references; a broken one leads to nil.
func (d document) resolve(value any) object {
	for {
		found, _ := value.(object)
		ref, ok := found["$ref"].(string)
		if !ok {
			return found
		}
		value = d.root
		for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
			level, _ := value.(object)
			value = level[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
		}
	}
}

// alternatives spells a schema out: allOf merged, and one schema for each way through its oneOf and anyOf.
func (d document) alternatives(schema any) []object {
	resolved := d.resolve(schema)
	own := object{}
	for key, value := range resolved {
		if key != "allOf" && key != "oneOf" && key != "anyOf" {
			own[key] = value
		}
	}
	found := []object{own}
	if all, ok := resolved["allOf"].([]any); ok {
		for _, part := range all {
			found = product(found, d.alternatives(part))
		}
	}
	for _, key := range []string{"oneOf", "anyOf"} {
		parts, ok := resolved[key].([]any)
		if !ok {
			continue
		}
		var ways []object
		for _, part := range parts {
			ways = append(ways, d.alternatives(part)...)
		}
		found = product(found, ways)
	}
	return found
}

func product(left, right []object) []object {
	found := make([]object, 0, len(left)*len(right))
	for _, a := range left {
		for _, b := range right {
			found = append(found, merged(a, b))
		}
	}
	return found
}

// merged is a schema that says what both say; b where they differ.
func merged(a, b object) object {
	both := maps.Clone(a)
	maps.Copy(both, b)
	if a["properties"] != nil && b["properties"] != nil {
		properties := maps.Clone(child(a, "properties"))
		maps.Copy(properties, child(b, "properties"))
		both["properties"] = properties
	}
	required := append(strs(a["required"]), strs(b["required"])...)
	if len(required) > 0 {
		list := make([]any, len(required))
		for i, name := range required {
			list[i] = name
		}
		both["required"] = list
	}
	return both
}

func child(of object, key string) object {
	found, _ := of[key].(object)
	return found
}

func strs(list any) []string {
	entries, _ := list.([]any)
	var found []string
	for _, entry := range entries {
		if text, ok := entry.(string); ok {
			found = append(found, text)
		}
	}
	return found
}

// kind is the type of a schema, also where it is only to be guessed; "" is any.
func kind(schema object) string {
	if name, ok := schema["type"].(string); ok {
		return name
	}
	if schema["properties"] != nil {
		return "object"
	}
	if enum, ok := schema["enum"].([]any); ok && len(enum) > 0 {
		if _, text := enum[0].(string); text {
			return "string"
		}
	}
	return ""
}

// texts collects what is written for people.
func texts(value any, found []string) []string {
	switch value := value.(type) {
	case object:
		for key, below := range value {
			if text, ok := below.(string); ok && (key == "description" || key == "summary" || key == "title") {
				found = append(found, text)
			}
			found = texts(below, found)
		}
	case []any:
		for _, below := range value {
			found = texts(below, found)
		}
	}
	return found
}

var word = regexp.MustCompile(`[\p{L}\p{N}_.']+`)

// phrases lists the runs of that many words in a text.
func phrases(text string, length int) []string {
	words := word.FindAllString(strings.ToLower(text), -1)
	found := make([]string, 0, len(words))
	for i := range max(0, len(words)-length+1) {
		found = append(found, strings.Join(words[i:i+length], " "))
	}
	return found
}

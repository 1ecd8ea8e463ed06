package sdk_test

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// problem is one point in which we differ from upstream. where begins with "request", "answer" or "refusal".
type problem struct{ where, what string }

func (p problem) String() string { return p.where + ": " + p.what }

// comparison compares schemas of two documents.
type comparison struct{ theirs, mine document }

// operation lists how mine differs from theirs in a way that a client can notice.
func (c comparison) operation(theirs, mine operation) []problem {
	found := c.parameters(theirs, mine)
	found = append(found, c.body(theirs, mine)...)
	upstream, own := child(theirs.body, "responses"), child(mine.body, "responses")
	answer := c.theirs.content(upstream["200"])
	if answer == nil {
		found = append(found, problem{"answer", "upstream describes none"})
	}
	found = append(found, c.answer(answer, []any{c.mine.content(own["200"])}, "answer")...)
	for _, key := range []string{"4XX", "4xx"} {
		if refusal := c.theirs.content(upstream[key]); refusal != nil {
			found = append(found, c.answer(refusal, []any{c.mine.content(own["400"])}, "refusal")...)
		}
	}
	return found
}

func (c comparison) parameters(theirs, mine operation) []problem {
	var found []problem
	upstream, own := queries(theirs), queries(mine)
	for _, name := range slices.Sorted(maps.Keys(upstream)) {
		where := "request ?" + name
		parameter, ok := own[name]
		switch {
		case !ok:
			found = append(found, problem{where, "missing"})
			continue
		case parameter[extension] == true:
			found = append(found, problem{where, "marked as ours, but upstream has it"})
		case parameter["required"] == true && upstream[name]["required"] != true:
			found = append(found, problem{where, "required"})
		}
		found = append(found, c.request(upstream[name]["schema"], parameter["schema"], where)...)
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if _, ok := upstream[name]; !ok && own[name][extension] != true {
			found = append(found, problem{"request ?" + name, "not marked " + extension})
		}
	}
	for i, name := range parameterName.FindAllStringSubmatch(theirs.path, -1) {
		other := parameterName.FindAllStringSubmatch(mine.path, -1)[i]
		found = append(found, c.request(inPath(theirs, name[1])["schema"], inPath(mine, other[1])["schema"], "request {"+other[1]+"}")...)
	}
	return found
}

func queries(of operation) map[string]object {
	found := map[string]object{}
	for _, parameter := range of.parameters {
		if parameter["in"] == "query" {
			found[fmt.Sprint(parameter["name"])] = parameter
		}
	}
	return found
}

func inPath(of operation, name string) object {
	for _, parameter := range of.parameters {
		if parameter["in"] == "path" && parameter["name"] == name {
			return parameter
		}
	}
	return nil
}

func (c comparison) body(theirs, mine operation) []problem {
	upstream, own := c.theirs.resolve(theirs.body["requestBody"]), c.mine.resolve(mine.body["requestBody"])
	switch {
	case upstream == nil && own == nil:
		return nil
	case upstream == nil:
		return []problem{{"request", "a body, where upstream has none"}}
	case own == nil:
		return []problem{{"request", "no body, where upstream has one"}}
	}
	found := c.request(c.theirs.content(upstream), c.mine.content(own), "request ")
	if own["required"] == true && upstream["required"] != true {
		found = append(found, problem{"request", "required"})
	}
	return found
}

// fewest is the best of several attempts.
func fewest(attempts [][]problem) []problem {
	return slices.MinFunc(attempts, func(a, b []problem) int { return len(a) - len(b) })
}

// request compares requests: whatever theirs allows, mine takes.
func (c comparison) request(theirs, mine any, where string) []problem {
	ways, own := c.theirs.alternatives(theirs), c.mine.alternatives(mine)
	found := make([]problem, 0, len(ways))
	for _, upstream := range ways {
		attempts := make([][]problem, 0, len(own))
		for _, own := range own {
			attempts = append(attempts, c.takes(upstream, own, where))
		}
		found = append(found, fewest(attempts)...)
	}
	return found
}

func (c comparison) takes(theirs, mine object, where string) []problem {
	if takesAll(mine) {
		return nil
	}
	var found []problem
	if kind(mine) != kind(theirs) && (kind(theirs) != "integer" || kind(mine) != "number") {
		found = append(found, problem{where, fmt.Sprintf("%s, where upstream takes %q", kind(mine), kind(theirs))})
		if kind(mine) != "integer" || kind(theirs) != "number" { // nothing else is comparable
			return found
		}
	}
	for _, what := range narrower(theirs, mine) {
		found = append(found, problem{where, what})
	}
	if given, ok := theirs["default"]; ok && !reflect.DeepEqual(mine["default"], given) {
		found = append(found, problem{where, "default"})
	}
	switch kind(mine) {
	case "array":
		found = append(found, c.request(theirs["items"], mine["items"], where+"/*")...)
	case "object":
		found = append(found, c.takesObject(theirs, mine, where)...)
	}
	return found
}

func (c comparison) takesObject(theirs, mine object, where string) []problem {
	var found []problem
	upstream, own := child(theirs, "properties"), child(mine, "properties")
	for _, name := range slices.Sorted(maps.Keys(upstream)) {
		at := where + "/" + name
		if own[name] == nil {
			found = append(found, problem{at, "missing"})
			continue
		}
		found = append(found, c.request(upstream[name], own[name], at)...)
	}
	for _, name := range strs(mine["required"]) {
		if !slices.Contains(strs(theirs["required"]), name) {
			found = append(found, problem{where + "/" + name, "required"})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if alternatives := c.mine.alternatives(own[name]); !takesAll(alternatives[0]) {
			found = append(found, c.marks(upstream, alternatives, where, name)...)
		}
	}
	if mine["additionalProperties"] == false {
		found = append(found, problem{where, "closed"})
	}
	return found
}

// takesAll says whether a schema restricts nothing.
func takesAll(schema object) bool {
	return kind(schema) == "" && schema["enum"] == nil && schema["nullable"] == true
}

// marks holds the mark of our own fields: what upstream lacks has it, and nothing else.
func (c comparison) marks(upstream object, alternatives []object, where, name string) []problem {
	marked := !slices.ContainsFunc(alternatives, func(schema object) bool { return schema[extension] != true })
	_, has := upstream[name]
	switch {
	case has && marked:
		return []problem{{where + "/" + name, "marked as ours, but upstream has it"}}
	case !has && !marked:
		return []problem{{where + "/" + name, "not marked " + extension}}
	}
	return nil
}

// answer compares answers: whatever mine, a list of ways to answer, sends is something that theirs allows.
func (c comparison) answer(theirs any, mine []any, where string) []problem {
	own := make([]object, 0, len(mine))
	for _, schema := range mine {
		own = append(own, c.mine.alternatives(schema)...)
	}
	ways := c.theirs.alternatives(theirs)
	attempts := make([][]problem, 0, len(ways))
	for _, upstream := range ways {
		attempts = append(attempts, c.sends(upstream, own, where))
	}
	return fewest(attempts)
}

func (c comparison) sends(theirs object, mine []object, where string) []problem {
	var found []problem
	for _, own := range mine {
		if kind(theirs) != "" && kind(own) != kind(theirs) && (kind(own) != "integer" || kind(theirs) != "number") {
			return []problem{{where, fmt.Sprintf("%s, where upstream sends %q", kind(own), kind(theirs))}}
		}
		for _, what := range narrower(own, theirs) {
			found = append(found, problem{where, what})
		}
	}
	switch kind(theirs) {
	case "array":
		var items []any
		for _, own := range mine {
			items = append(items, own["items"])
		}
		found = append(found, c.answer(theirs["items"], items, where+"/*")...)
	case "object":
		found = append(found, c.sendsObject(theirs, mine, where)...)
	}
	return found
}

func (c comparison) sendsObject(theirs object, mine []object, where string) []problem {
	upstream := child(theirs, "properties")
	if len(upstream) == 0 { // upstream says nothing of what is in it
		return nil
	}
	var found []problem
	for _, name := range slices.Sorted(maps.Keys(upstream)) {
		at := where + "/" + name
		var ways []any
		for _, own := range mine {
			if way := property(own, name); way != nil {
				ways = append(ways, way)
			}
			if slices.Contains(strs(theirs["required"]), name) && !slices.Contains(strs(own["required"]), name) {
				found = append(found, problem{at, "not always there"})
			}
		}
		if len(ways) == 0 {
			found = append(found, problem{at, "missing"})
			continue
		}
		found = append(found, c.answer(upstream[name], ways, at)...)
	}
	for _, own := range mine {
		properties := child(own, "properties")
		for _, name := range slices.Sorted(maps.Keys(properties)) {
			found = append(found, c.marks(upstream, c.mine.alternatives(properties[name]), where, name)...)
		}
	}
	return found
}

// property is the schema of a property, which may be one of a map.
func property(of object, name string) any {
	if found, ok := child(of, "properties")[name]; ok {
		return found
	}
	if found := child(of, "additionalProperties"); found != nil {
		return found
	}
	return nil
}

// narrower says in what inner allows less than outer, or not the same.
func narrower(outer, inner object) []string {
	var found []string
	if outer["nullable"] == true && inner["nullable"] != true {
		found = append(found, "null")
	}
	for _, key := range []string{"format", "pattern"} {
		if inner[key] != nil && inner[key] != outer[key] {
			found = append(found, key)
		}
	}
	for _, key := range []string{"maxLength", "maximum", "maxItems"} {
		limit, ok := inner[key].(float64)
		if other, has := outer[key].(float64); ok && outer["enum"] == nil && (!has || other > limit) {
			found = append(found, key)
		}
	}
	for _, key := range []string{"minLength", "minimum", "minItems"} {
		limit, ok := inner[key].(float64)
		if other, has := outer[key].(float64); ok && limit > 0 && outer["enum"] == nil && (!has || other < limit) {
			found = append(found, key)
		}
	}
	if allowed, ok := inner["enum"].([]any); ok {
		values, has := outer["enum"].([]any)
		if !has {
			return append(found, "any value")
		}
		for _, value := range values {
			if !slices.ContainsFunc(allowed, func(other any) bool { return reflect.DeepEqual(value, other) }) {
				found = append(found, "the value "+strings.TrimSpace(fmt.Sprint(value)))
			}
		}
	}
	return found
}

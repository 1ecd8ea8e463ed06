package contract

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// update writes the tables of docs/compatibility.md anew.
var update = flag.Bool("update", false, "write the tables of docs/compatibility.md")

const (
	compatibilityFile = "../../docs/compatibility.md"
	upstreamFile      = "testdata/upstream.json"
	errorCodesKey     = "x-error-codes"
	writeAnew         = "go test ./test/contract -run TestCompatibilityIsDocumented -update"
)

// TestCompatibilityIsDocumented holds the tables of docs/compatibility.md equal to what api/openapi.yaml says is served,
// next to what upstream has.
func TestCompatibilityIsDocumented(t *testing.T) {
	t.Parallel()
	s := New(t).spec
	written, err := os.ReadFile(compatibilityFile)
	if err != nil {
		t.Fatal(err)
	}
	text := string(written)
	for name, table := range map[string]string{"operations": operationTable(t, s), "codes": codeTable(errorCodes(t, s))} {
		between := regexp.MustCompile(`(?s)(<!-- ` + name + `: [^\n]*-->\n\n).*?(\n<!-- end of ` + name + ` -->\n)`)
		if len(between.FindAllString(text, -1)) != 1 {
			t.Fatalf("docs/compatibility.md has no one place for the table of %s", name)
		}
		text = between.ReplaceAllString(text, "${1}"+strings.ReplaceAll(table, "$", "$$")+"${2}")
	}
	if *update {
		if err := os.WriteFile(compatibilityFile, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text != string(written) {
		t.Errorf("the tables of docs/compatibility.md are not what api/openapi.yaml says; write them anew: %s", writeAnew)
	}
}

// upstream is what testdata/upstream.json holds: methods by path.
type upstream struct{ Newest, Older map[string][]string }

func readUpstream(t *testing.T) upstream {
	t.Helper()
	text, err := os.ReadFile(upstreamFile)
	if err != nil {
		t.Fatal(err)
	}
	var found upstream
	if err := json.Unmarshal(text, &found); err != nil {
		t.Fatal(err)
	}
	return found
}

// line is one row of the table: methods of a path by what became of them.
type line struct{ served, older, own, missing []string }

var pathParameter = regexp.MustCompile(`\{[^}]*\}`)

// operationTable has a row for each path of upstream's or ours.
func operationTable(t *testing.T, s *spec) string {
	t.Helper()
	const ours = "ours"
	mine := map[string]string{} // by method and path without names: its path, or ours
	for path, item := range s.doc.Paths.Map() {
		if len(item.Servers) > 0 {
			continue
		}
		for method, operation := range item.Operations() {
			key := method + " " + pathParameter.ReplaceAllString(path, "{}")
			mine[key] = path
			if operation.Extensions["x-extension"] == true {
				mine[key] = ours
			}
		}
	}
	lines, counts := map[string]*line{}, map[string]int{}
	at := func(path string) *line {
		if lines[path] == nil {
			lines[path] = &line{}
		}
		return lines[path]
	}
	facts := readUpstream(t)
	for _, form := range []struct {
		name  string
		paths map[string][]string
	}{{"newest", facts.Newest}, {"older", facts.Older}} {
		for path, methods := range form.paths {
			for _, method := range methods {
				key := method + " " + pathParameter.ReplaceAllString(path, "{}")
				found, served := mine[key]
				delete(mine, key)
				counts[form.name]++
				switch row := at(path); {
				case found == ours:
					t.Errorf("%s %s is marked x-extension, and upstream has it (%s)", method, path, upstreamFile)
				case !served:
					row.missing = append(row.missing, method)
				case form.name == "older":
					counts["older served"]++
					row.older = append(row.older, method)
				default:
					counts["newest served"]++
					row.served = append(row.served, method)
				}
			}
		}
	}
	for path, item := range s.doc.Paths.Map() {
		for method := range item.Operations() {
			found, left := mine[method+" "+pathParameter.ReplaceAllString(path, "{}")]
			switch {
			case left && found == ours:
				counts[ours]++
				at(path).own = append(at(path).own, method)
			case left:
				t.Errorf("%s %s is not marked x-extension, and %s has no such operation", method, path, upstreamFile)
			}
		}
	}
	return fmt.Sprintf("Of %d operations that the newest description has about identity %d are served, and %d of the %d that only "+
		"the one before it had;\n%d more are additions.\n\n", counts["newest"], counts["newest served"], counts["older served"], counts["older"], counts[ours]) +
		rows(lines)
}

func rows(lines map[string]*line) string {
	var text strings.Builder
	text.WriteString("| path | served | served, older form | ours | not yet |\n|---|---|---|---|---|\n")
	for _, path := range slices.Sorted(maps.Keys(lines)) {
		row := lines[path]
		fmt.Fprintf(&text, "| `%s` | %s | %s | %s | %s |\n", path, methods(row.served), methods(row.older), methods(row.own), methods(row.missing))
	}
	return text.String()
}

// methods lists methods in the order in which people think of them.
func methods(of []string) string {
	order := []string{"GET", "POST", "PUT", "PATCH", "DELETE"}
	slices.SortFunc(of, func(a, b string) int { return slices.Index(order, a) - slices.Index(order, b) })
	return strings.Join(of, ", ")
}

// errorCode is what the document says of a code.
type errorCode struct {
	Code    int
	Status  []int
	Origin  string
	Meaning string
}

// errorCodes reads them from the document, and holds them to what its responses and operations may carry.
func errorCodes(t *testing.T, s *spec) []errorCode {
	t.Helper()
	text, err := yaml.Marshal(s.doc.Extensions[errorCodesKey])
	if err != nil {
		t.Fatal(err)
	}
	var listed []errorCode
	if err := yaml.Unmarshal(text, &listed); err != nil {
		t.Fatal(err)
	}
	known := map[int][]int{}
	for _, c := range listed {
		if c.Origin != "upstream" && c.Origin != "hither" {
			t.Errorf("%s: code %d is of %q, want upstream (seen in public) or hither (decided here)", errorCodesKey, c.Code, c.Origin)
		}
		known[c.Code] = append(known[c.Code], c.Status...)
	}
	used := usedCodes(s)
	for code, statuses := range used {
		for _, status := range statuses {
			if !slices.Contains(known[code], status) {
				t.Errorf("a response with status %d may carry %d, and %s does not say so", status, code, errorCodesKey)
			}
		}
		if len(known[code]) == 0 {
			t.Errorf("an operation may carry %d, of which %s says nothing", code, errorCodesKey)
		}
	}
	for code := range known {
		if _, ok := used[code]; !ok && !slices.Contains(serverTrouble, code) {
			t.Errorf("%s has %d, which nothing carries", errorCodesKey, code)
		}
	}
	return listed
}

// serverTrouble are the codes of responses that leave theirs open.
var serverTrouble = []int{10500, 10503}

// usedCodes are the codes that the document allows anywhere, each with the statuses of the responses that say so: none
// where it is an operation that adds it.
func usedCodes(s *spec) map[int][]int {
	used := map[int][]int{}
	for _, item := range s.doc.Paths.Map() {
		for _, operation := range item.Operations() {
			for _, code := range codes(operation.Extensions) {
				used[code] = append(used[code], []int{}...)
			}
			for status, response := range operation.Responses.Map() {
				number, _ := strconv.Atoi(status)
				for _, code := range codes(response.Value.Extensions) {
					used[code] = append(used[code], number)
				}
			}
		}
	}
	for name, status := range map[string]int{noRoute: 404, methodNotAllowed: 405} {
		for _, code := range codes(s.doc.Components.Responses[name].Value.Extensions) {
			used[code] = append(used[code], status)
		}
	}
	return used
}

func codeTable(listed []errorCode) string {
	var text strings.Builder
	text.WriteString("| HTTP | code | meaning | |\n|---|---|---|---|\n")
	slices.SortStableFunc(listed, func(a, b errorCode) int { return a.Code - b.Code })
	for _, c := range listed {
		statuses := make([]string, len(c.Status))
		for i, status := range c.Status {
			statuses[i] = strconv.Itoa(status)
		}
		origin := map[string]string{"upstream": "seen", "hither": "ours"}[c.Origin]
		fmt.Fprintf(&text, "| %s | %d | %s | %s |\n", strings.Join(statuses, ", "), c.Code, c.Meaning, origin)
	}
	return text.String()
}

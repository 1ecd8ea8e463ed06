package contract

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	openapi "hither/api"
)

// TestAnswersAreClosed holds the premise of every other check: an object in an answer names all of its fields, or is a
// map whose values are described.
func TestAnswersAreClosed(t *testing.T) {
	t.Parallel()
	v := New(t)
	seen := map[*openapi3.Schema]bool{}
	for path, item := range v.spec.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				for _, content := range response.Value.Content {
					for _, where := range open(content.Schema.Value, "", seen) {
						t.Errorf("%s %s, %s: an open object at %q", method, path, status, where)
					}
				}
			}
		}
	}
	if len(seen) < 20 {
		t.Errorf("saw %d schemas; something hides the others", len(seen))
	}
}

// open lists where below a schema objects are open.
func open(schema *openapi3.Schema, where string, seen map[*openapi3.Schema]bool) []string {
	if seen[schema] {
		return nil
	}
	seen[schema] = true
	var found []string
	if schema.Type.Is("object") && len(schema.Enum) == 0 {
		closed := schema.AdditionalProperties.Has != nil && !*schema.AdditionalProperties.Has
		if !closed && schema.AdditionalProperties.Schema == nil {
			found = append(found, where)
		}
	}
	below := map[string]*openapi3.SchemaRef{"items": schema.Items, "additionalProperties": schema.AdditionalProperties.Schema}
	maps.Copy(below, schema.Properties)
	for _, alternative := range slices.Concat(schema.OneOf, schema.AnyOf, schema.AllOf) {
		found = append(found, open(alternative.Value, where, seen)...)
	}
	for name, ref := range below {
		if ref != nil {
			found = append(found, open(ref.Value, where+"/"+name, seen)...)
		}
	}
	return found
}

// TestRefusalsNameTheirCodes holds that no status of a refusal leaves its codes open, but for those of a server in
// trouble, and that what an operation adds has a status to come with.
func TestRefusalsNameTheirCodes(t *testing.T) {
	t.Parallel()
	for path, item := range New(t).spec.doc.Paths.Map() {
		if len(item.Servers) > 0 {
			continue
		}
		for method, operation := range item.Operations() {
			for status, response := range operation.Responses.Map() {
				if status[0] == '4' && len(codes(response.Value.Extensions)) == 0 {
					t.Errorf("%s %s, %s: no %s", method, path, status, codesKey)
				}
			}
			if _, has := operation.Extensions[codesKey]; has && len(codes(operation.Extensions)) == 0 {
				t.Errorf("%s %s: %s = %v has no numbers", method, path, codesKey, operation.Extensions[codesKey])
			}
			if (operation.RequestBody != nil) != (operation.Responses.Value("415") != nil) {
				t.Errorf("%s %s: 415 and 413 go with a body, and only with one", method, path)
			}
		}
	}
}

// TestPostsTakeIdempotencyKeys holds that whatever makes something says how to make it once.
func TestPostsTakeIdempotencyKeys(t *testing.T) {
	t.Parallel()
	for path, item := range New(t).spec.doc.Paths.Map() {
		for method, operation := range item.Operations() {
			_, says := operation.Responses.Value("200").Value.Headers["Idempotency-Replayed"]
			takes := operation.Parameters.GetByInAndName("header", "Idempotency-Key") != nil
			refuses := slices.Contains(codes(operation.Extensions), 1213)
			// A report is told once by what it says, however often it comes.
			if want := method == "POST" && operation.OperationID != "reportMail"; takes != want || refuses != want || says != want {
				t.Errorf("%s %s: takes a key %v, refuses another request under it %v, tells a replay %v; want %v", method, path, takes, refuses, says, want)
			}
		}
	}
}

// TestOtherAnswersAreClosed does the same for the answers outside of operations, which no path refers to.
func TestOtherAnswersAreClosed(t *testing.T) {
	t.Parallel()
	components := New(t).spec.doc.Components
	for name, response := range components.Responses {
		for _, content := range response.Value.Content {
			if where := open(content.Schema.Value, "", map[*openapi3.Schema]bool{}); len(where) > 0 {
				t.Errorf("%s: open objects at %q", name, where)
			}
		}
	}
}

func TestBrokenDocuments(t *testing.T) {
	t.Parallel()
	text := string(openapi.Document())
	tests := []struct{ name, text, want string }{
		{"not YAML", "\t", "read the document"},
		{"not OpenAPI", strings.Replace(text, "title: hither", "title: \"\"", 1), "not OpenAPI"},
		{"no answer for unknown paths", strings.ReplaceAll(text, noRoute+":", "Other:"), noRoute},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if _, err := newSpec([]byte(test.text)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

package contract

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	openapi "hither/api"
)

// Names of the document's responses to what is none of its operations.
const (
	noRoute          = "NoRoute"
	methodNotAllowed = "MethodNotAllowed"
	refused          = "Refused"
	tooManyRequests  = "TooManyRequests" // which every operation may answer too
)

// codesKey marks, in the document, which error codes a response or an operation may carry.
const codesKey = "x-codes"

// spec is the document, made ready for many goroutines; nothing in it changes once it is loaded.
type spec struct {
	doc       *openapi3.T
	base      string // "/client/v4"
	router    routers.Router
	elsewhere *routers.Route // what is none of the operations
	options   *openapi3filter.Options
}

// loadSpec reads the document once: that takes longer than many a test that needs it.
var loadSpec = sync.OnceValues(func() (*spec, error) {
	for _, kind := range files { // texts that the library does not know
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.FileBodyDecoder)
	}
	return newSpec(openapi.Document())
})

// files are the media types of what has no envelope.
var files = []string{"text/csv", "application/x-ndjson", "application/jsonl", "text/event-stream"}

func newSpec(text []byte) (*spec, error) {
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("the document is not OpenAPI: %w", err)
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, fmt.Errorf("route by the document: %w", err)
	}
	s := &spec{doc: doc, base: doc.Servers[0].URL, router: router, options: &openapi3filter.Options{
		AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc,
		IncludeResponseStatus: true,
		SkipSettingDefaults:   true,
	}}
	s.options.WithCustomSchemaErrorFunc(schemaReason)
	responses := openapi3.NewResponsesWithCapacity(3)
	for key, name := range map[string]string{"404": noRoute, "405": methodNotAllowed, "429": tooManyRequests, "default": refused} {
		if doc.Components.Responses[name] == nil {
			return nil, fmt.Errorf("the document has no response %s", name)
		}
		responses.Set(key, doc.Components.Responses[name])
	}
	s.elsewhere = &routers.Route{Spec: doc, PathItem: &openapi3.PathItem{}, Operation: &openapi3.Operation{Responses: responses}}
	return s, nil
}

// covers says whether a path is the document's business.
func (s *spec) covers(path string) bool {
	return path == s.base || strings.HasPrefix(path, s.base+"/")
}

func (s *spec) find(req *http.Request) place {
	route, params, err := s.router.FindRoute(req)
	if err != nil {
		return place{route: s.elsewhere}
	}
	return place{operation: req.Method + " " + s.base + route.Path, route: route, params: params}
}

func (s *spec) operations() []string {
	var found []string
	for path, item := range s.doc.Paths.Map() {
		if len(item.Servers) > 0 { // has a base path of its own
			continue
		}
		for method := range item.Operations() {
			found = append(found, method+" "+s.base+path)
		}
	}
	slices.Sort(found)
	return found
}

// problems says what is wrong with an answer.
func (s *spec) problems(req *http.Request, res *http.Response, body []byte, found place) []string {
	if res.StatusCode == http.StatusTooManyRequests && found.route.Operation.Responses.Status(res.StatusCode) == nil {
		found.route = s.elsewhere // which any operation may answer
	}
	responses := found.route.Operation.Responses
	described := responses.Status(res.StatusCode)
	if described == nil {
		described = responses.Default()
	}
	switch {
	case described == nil:
		return []string{"it does not have this status"}
	case found.operation == "" && res.StatusCode < http.StatusBadRequest:
		return []string{"it does not have this operation, so only a refusal is right"}
	}
	input := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: found.input(req, s.options),
		Status:                 res.StatusCode,
		Header:                 res.Header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                s.options,
	}
	if err := openapi3filter.ValidateResponse(req.Context(), input); err != nil {
		return []string{err.Error()}
	}
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); slices.Contains(files, kind) {
		return nil // no envelope, and so no codes
	}
	if err := strict(body); err != nil {
		return []string{err.Error()}
	}
	return wrongCodes(body, allowedCodes(described.Value.Extensions, found.route.Operation.Extensions))
}

// schemaReason is one line: where, and what is wrong. The library would print the schema and the value as well.
func schemaReason(err *openapi3.SchemaError) string {
	text := "/" + strings.Join(err.JSONPointer(), "/") + ": " + err.Reason
	if err.Origin == nil {
		return text
	}
	return text + ": " + err.Origin.Error()
}

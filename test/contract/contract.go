// Package contract holds whatever speaks to a running hither to api/openapi.yaml: a Validator gives an http.RoundTripper
// that lets requests and answers through unchanged and fails the test for each that the document does not describe. Since
// the schemas of answers are closed, a field that leaks is a failure like one that is missing.
//
// It is for tests only and must not import what it checks: it knows the document and HTTP, and nothing of internal/.
package contract

import (
	"context"
	"net/http"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// TB is what a Validator needs of a testing.TB.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// Validator checks exchanges for one test. It may be used by many goroutines at once, but not after the test has ended.
type Validator struct {
	tb   TB
	spec *spec
}

// New makes a Validator that reports to tb. The document is read once for all Validators of a process.
func New(tb TB) *Validator {
	tb.Helper()
	s, err := loadSpec()
	if err != nil {
		tb.Fatalf("contract: %v", err)
	}
	return &Validator{tb: tb, spec: s}
}

// Operations lists what the document describes under its base path, sorted, in the form of http.ServeMux patterns:
// "GET /client/v4/accounts/{account_id}".
func (v *Validator) Operations() []string { return v.spec.operations() }

// RoundTripper checks what goes through base. Paths outside of the document's base path (/client/v4) are let through
// unseen, and so are answers to HEAD. Every other answer is checked; a request is, unless its context came from Exempt.
//
// The body of an answer is read to its end before it is handed on; where that fails half-way, what there is and the
// error are handed on unchecked. An exempted request is not touched.
func (v *Validator) RoundTripper(base http.RoundTripper) http.RoundTripper {
	return &transport{base: base, validator: v}
}

type exemptKey struct{}

// Exempt returns a context with which a request may break the document, because of why: deliberate bad input, or a
// published client that is known to send what the schema does not have. Its answer is checked all the same.
func Exempt(ctx context.Context, why string) context.Context {
	return context.WithValue(ctx, exemptKey{}, why)
}

// checkRequest reports a request that the document does not describe.
func (v *Validator) checkRequest(req *http.Request, body []byte, found place) {
	v.tb.Helper()
	if found.operation == "" {
		v.tb.Errorf("contract: %s %s: the document has no such operation; is it meant (contract.Exempt)?", req.Method, req.URL)
		return
	}
	asked := withBody(req, body)
	err := openapi3filter.ValidateRequest(req.Context(), found.input(asked, v.spec.options))
	if err != nil {
		v.tb.Errorf("contract: %s %s: the request breaks the document: %v\nrequest body: %s",
			req.Method, req.URL, err, excerpt(body))
	}
}

// checkAnswer reports an answer that the document does not describe.
func (v *Validator) checkAnswer(req *http.Request, res *http.Response, body []byte, found place) {
	v.tb.Helper()
	for _, problem := range v.spec.problems(req, res, body, found) {
		v.tb.Errorf("contract: %s %s: the answer %d breaks the document (%s): %s\nanswer body: %s",
			req.Method, req.URL, res.StatusCode, found, problem, excerpt(body))
	}
}

// place is where in the document an exchange belongs. operation is "" where it has none.
type place struct {
	operation string
	route     *routers.Route
	params    map[string]string
}

func (p place) String() string {
	if p.operation == "" {
		return "no operation of it"
	}
	return p.operation
}

func (p place) input(req *http.Request, options *openapi3filter.Options) *openapi3filter.RequestValidationInput {
	return &openapi3filter.RequestValidationInput{Request: req, Route: p.route, PathParams: p.params, Options: options}
}

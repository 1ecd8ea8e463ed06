package contract

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// transport is what Validator.RoundTripper returns.
type transport struct {
	base      http.RoundTripper
	validator *Validator
}

// RoundTrip sends the request on by base and checks both ways.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	v := t.validator
	if !v.spec.covers(req.URL.Path) {
		return t.base.RoundTrip(req)
	}
	found := v.spec.find(req)
	sent := req
	if why, exempt := req.Context().Value(exemptKey{}).(string); !exempt || why == "" {
		body, err := drain(req.Body)
		if err != nil {
			return nil, fmt.Errorf("contract: read the request's body: %w", err)
		}
		v.checkRequest(req, body, found)
		sent = withBody(req, body)
	}
	res, err := t.base.RoundTrip(sent)
	if err != nil || req.Method == http.MethodHead {
		return res, err
	}
	body, err := drain(res.Body)
	if err != nil {
		res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failing{err}))
		return res, nil //nolint:nilerr // there is an answer; its reader meets the error, as without us
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	v.checkAnswer(req, res, body, found)
	return res, nil
}

// drain reads and closes a body; nil is an empty one.
func drain(body io.ReadCloser) ([]byte, error) {
	if body == nil || body == http.NoBody {
		return nil, nil
	}
	defer func() { _ = body.Close() }()
	data, err := io.ReadAll(body)
	if err != nil {
		return data, fmt.Errorf("read: %w", err)
	}
	return data, nil
}

// withBody is the same request with a body that was not read yet. A length that was not told stays untold.
func withBody(req *http.Request, body []byte) *http.Request {
	copied := req.Clone(req.Context())
	if req.Body == nil || req.Body == http.NoBody {
		return copied
	}
	copied.Body = io.NopCloser(bytes.NewReader(body))
	copied.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	return copied
}

// failing is the rest of a body that broke off.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// maxExcerpt is how much of a body a failure shows.
const maxExcerpt = 2000

func excerpt(body []byte) string {
	if len(body) > maxExcerpt {
		return fmt.Sprintf("%q… (%d bytes)", body[:maxExcerpt], len(body))
	}
	return string(body)
}

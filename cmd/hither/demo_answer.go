package main

import (
	"encoding/json"
	"errors"
	"net/http"

	"hither/internal/server"
)

// envelope is the wire's.
type envelope struct {
	Result   any          `json:"result"`
	Success  bool         `json:"success"`
	Errors   []demoNotice `json:"errors"`
	Messages []demoNotice `json:"messages"`
}

type demoNotice struct {
	Code    int         `json:"code"`
	Message string      `json:"message"`
	Source  *demoSource `json:"source,omitempty"`
}

type demoSource struct {
	Pointer string `json:"pointer"`
}

// steerError is why a request on a route of the demo's own was not done.
type steerError struct {
	status, code     int
	message, pointer string
}

func (r steerError) Error() string { return r.message }

// refuse answers with an error; what is no refusal is the demo's own failure,
// and its user is who runs it.
func (d *demoStage) refuse(w http.ResponseWriter, r *http.Request, err error) {
	var cause error
	refusal, ok := errors.AsType[steerError](err)
	if !ok {
		refusal = steerError{http.StatusServiceUnavailable, 10503, err.Error(), ""}
		cause = err
	}
	notice := demoNotice{Code: refusal.code, Message: refusal.message}
	if refusal.pointer != "" {
		notice.Source = &demoSource{refusal.pointer}
	}
	server.Observe(r.Context(), r.URL.Path, refusal.code, cause)
	d.write(w, r, refusal.status, envelope{Errors: []demoNotice{notice}, Messages: []demoNotice{}})
}

func (d *demoStage) write(w http.ResponseWriter, r *http.Request, status int, body envelope) {
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "private, no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Request-Id", server.RequestID(r.Context()))
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) //nolint:errchkjson // whoever asked may have gone away
}

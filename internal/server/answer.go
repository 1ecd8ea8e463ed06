package server

import (
	"io"
	"net/http"
	"strconv"
)

// Codes of the wire for what is refused before the API is asked.
const (
	codeInternal = 10500 // as the api has it
	codeNoRoute  = 7000
	codeTooMany  = 10429
)

// requestIDHeader names a request in its answer as in the log.
const requestIDHeader = "X-Request-ID"

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter

	status int // 0 before the answer
	bytes  int64
}

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK { // 1xx are no answer yet
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(p)
	r.bytes += int64(n)
	return n, err //nolint:wrapcheck // what is wrapped speaks for itself
}

// Unwrap lets http.ResponseController reach what is wrapped.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// refuse answers with the wire's envelope. message is plain ASCII, whose
// quoting is the same in Go and in JSON.
func (x *exchange) refuse(status, code int, message string) {
	x.trace.Code = code
	x.write(status, "application/json; charset=utf-8", `{"result":null,"success":false,"errors":[{"code":`+
		strconv.Itoa(code)+`,"message":`+strconv.Quote(message)+`}],"messages":[]}`+"\n")
}

// text answers whoever watches the server.
func (x *exchange) text(status int, text string) {
	x.write(status, "text/plain; charset=utf-8", text)
}

func (x *exchange) write(status int, contentType, body string) {
	header := x.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "private, no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set(requestIDHeader, x.trace.RequestID)
	x.WriteHeader(status)
	_, _ = io.WriteString(&x.recorder, body) // the client may have gone away
}

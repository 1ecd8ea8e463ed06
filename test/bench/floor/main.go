// Command floor is what every figure of test/bench is held against: a bare
// net/http server that looks at two headers and answers a fixed JSON document,
// as long as that of an invitation. Whatever hither takes beyond it is hither's.
package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// answerSize is the length of the answer that earlier measurements used.
const answerSize = 657

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor HOST:PORT")
		os.Exit(2)
	}
	server := &http.Server{Addr: os.Args[1], Handler: handler(), ReadHeaderTimeout: 10 * time.Second}
	if err := server.ListenAndServe(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func handler() http.Handler {
	const start, end = `{"result":{"text":"`, `"},"success":true,"errors":[],"messages":[]}`
	answer := []byte(start + strings.Repeat("x", answerSize-len(start)-len(end)) + end)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Auth-Email") == "" || r.Header.Get("X-Auth-Key") == "" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer) // a client that is gone is nobody's to tell
	})
}

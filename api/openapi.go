// Package openapi holds the description of the API that hither serves: openapi.yaml, beside this file and embedded in
// the binary. It says for every route what may be asked and, with closed schemas, everything that may be answered.
//
// It imports nothing, so that the server, which serves the text, and the tests, which hold the server to it, share it.
package openapi

import _ "embed" // for openapi.yaml

//go:embed openapi.yaml
var document string

// Document is the text of openapi.yaml: OpenAPI 3.0.3 in YAML, UTF-8. The copy is the caller's.
func Document() []byte { return []byte(document) }

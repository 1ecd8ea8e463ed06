package dataset_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"hither/internal/dataset"
	"hither/internal/iam"
)

const issuersText = `
issuers:
  - name: acme
    title: Acme
    issuer: https://login.example.com
    client_id: hither
    client_secret_env: ACME_SECRET
    audiences: [https://hither.example.com]
    algorithms: [ES256, RS256]
    authoritative_domains: [Example.com, "*"]
    trusted_amr: [mfa]
    trusted_acr: ["urn:two"]
  - {name: dev, issuer: "http://127.0.0.1:5556/dex", audiences: [hither]}
return_urls:
  - https://app.example.com/welcome?from=hither
`

func TestParseIssuers(t *testing.T) {
	t.Parallel()
	got, err := dataset.ParseIssuers(strings.NewReader(issuersText))
	if err != nil {
		t.Fatal(err)
	}
	want := dataset.Issuers{
		Issuers: []dataset.Issuer{
			{
				Line: 3, Name: "acme", Title: "Acme", URL: "https://login.example.com", ClientID: "hither", SecretFrom: "ACME_SECRET",
				Audiences: []string{"https://hither.example.com"}, Algorithms: []string{"ES256", "RS256"},
				Domains: []string{"example.com", "*"}, AMR: []string{"mfa"}, ACR: []string{"urn:two"},
			},
			{Line: 13, Name: "dev", Title: "dev", URL: "http://127.0.0.1:5556/dex", Audiences: []string{"hither"}, Algorithms: []string{"RS256"}},
		},
		ReturnURLs: []string{"https://app.example.com/welcome?from=hither"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
	if err := got.Secrets(func(string) string { return "" }); err == nil || !strings.Contains(err.Error(), "ACME_SECRET") {
		t.Errorf("without the variable: %v", err)
	}
	if err := got.Secrets(func(name string) string { return map[string]string{"ACME_SECRET": "s3cret"}[name] }); err != nil || got.Issuers[0].Secret != "s3cret" {
		t.Errorf("with the variable: %q, %v", got.Issuers[0].Secret, err)
	}
}

// Each mistake names its field and its line, and no secret.
func TestIssuerProblems(t *testing.T) {
	t.Parallel()
	row := func(fields string) string {
		return "issuers:\n  - {name: acme, issuer: \"https://login.example.com\", client_id: c" + fields + "}\n"
	}
	for _, test := range []struct{ text, want string }{
		{"return_urls: []", "issuers: is required"},
		{"issuers:\n  - {name: a, issuer: \"https://x.example\"}", "client_id: is needed to sign in on the pages, audiences to take Bearer tokens"},
		{"issuers:\n  - {issuer: \"https://x.example\", client_id: c}", "name: is required"},
		{"issuers:\n  - {name: A b, issuer: \"https://x.example\", client_id: c}", "name: must be 1 to 32 of a-z"},
		{"issuers:\n  - {name: a, client_id: c}", "issuer: is required"},
		{"issuers:\n  - {name: a, issuer: \"http://login.example.com\", client_id: c}", "issuer: must be an https URL"},
		{"issuers:\n  - {name: a, issuer: \"https://u:p@login.example.com\", client_id: c}", "issuer: must be an https URL"},
		{"issuers:\n  - {name: a, issuer: \"https://login.example.com?x=1\", client_id: c}", "issuer: must be the issuer's identifier"},
		{"issuers:\n  - {name: a, issuer: \"https://login.example.com#x\", client_id: c}", "issuer: must be the issuer's identifier"},
		{"issuers:\n  - {name: a, issuer: login, client_id: c}", "issuer: must be an https URL"},
		{"issuers:\n  - {name: a, issuer: \"https://x.example\", audiences: [b], client_secret: canary}", "client_secret: goes with a client_id"},
		{row(", client_secret: canary, client_secret_env: X"), "client_secret_env: and client_secret can't be used together"},
		{row(", client_secret: \"\""), "client_secret: must be 1 to"},
		{row(", algorithms: [none]"), "algorithms/0: \"none\" is unknown"},
		{row(", algorithms: [RS256, HS256]"), "algorithms/1: \"HS256\" is unknown"},
		{row(", algorithms: []"), "algorithms: must name one at least"},
		{row(", authoritative_domains: [\"*.example.com\"]"), "authoritative_domains/0: must be a domain"},
		{row(", authoritative_domains: [\"a@example.com\"]"), "authoritative_domains/0: must be a domain"},
		{row(", audiences: hither"), "audiences: must be a list"},
		{row(", trusted_amr: [1]"), "trusted_amr/0: must be text"},
		{row(", scopes: [x]"), "unknown field \"scopes\""},
		{row(", name: acme"), "name: stands here twice"},
		{row("") + "  - {name: acme, issuer: \"https://other.example\", client_id: c}\n", "name: \"acme\" is that of line 2 too"},
		{row("") + "  - {name: b, issuer: \"https://login.example.com\", client_id: c}\n", "issuer: is that of line 2 too"},
		{row("") + "return_urls: [\"javascript:alert(1)\"]", "return_urls/0: must be an https URL"},
		{row("") + "return_urls: [\"//app.example.com\"]", "return_urls/0: must be an https URL"},
		{row("") + "return_urls: [\"http://app.example.com\"]", "return_urls/0: must be an https URL"},
	} {
		_, err := dataset.ParseIssuers(strings.NewReader(test.text))
		var problems iam.Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s\ngot %v\nwant %s", test.text, err, test.want)
		}
	}
}

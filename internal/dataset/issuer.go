package dataset

import (
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"hither/internal/iam"
)

// Issuers is what the file of --issuers says.
type Issuers struct {
	Issuers []Issuer
	// ReturnURLs are where people may go on to from the pages; the first one is
	// offered to who asked for none.
	ReturnURLs []string
}

// Issuer is an identity provider that the operator trusts.
type Issuer struct {
	Line       int
	Name       string
	Title      string
	URL        string
	ClientID   string
	Secret     string
	SecretFrom string // the environment variable that has the secret
	Audiences  []string
	Algorithms []string
	Domains    []string
	AMR        []string
	ACR        []string
}

// maxTitle is the longest text of a button, in characters.
const maxTitle = 40

// ParseIssuers reads a file of issuers. All that is wrong with it comes back as
// iam.Problems, by line.
func ParseIssuers(r io.Reader) (Issuers, error) {
	var (
		f     Issuers
		check reader
	)
	fields := issuerFields()
	top := []field[Issuers]{
		{name: "issuers", required: true, read: func(r *reader, path string, n *yaml.Node, f *Issuers) {
			f.Issuers = entries(r, path, n, fields, func(line int) Issuer { return Issuer{Line: line, Algorithms: []string{"RS256"}} })
		}},
		{name: "return_urls", read: into(func(f *Issuers) *[]string { return &f.ReturnURLs }, list(returnURL))},
	}
	if err := parse(r, &check, top, &f); err != nil {
		return Issuers{}, err
	}
	check.issuers(f.Issuers)
	if err := check.result(); err != nil {
		return Issuers{}, err
	}
	for i := range f.Issuers {
		if one := &f.Issuers[i]; one.Title == "" {
			one.Title = one.Name
		}
	}
	return f, nil
}

func issuerFields() []field[Issuer] {
	type row = Issuer
	texts := func(target func(*row) *[]string, item func(*reader, string, *yaml.Node) (string, bool)) func(*reader, string, *yaml.Node, *row) {
		return into(target, list(item))
	}
	return []field[row]{
		{name: "name", required: true, read: into(func(i *row) *string { return &i.Name }, issuerName)},
		{name: "title", read: into(func(i *row) *string { return &i.Title }, title)},
		{name: "issuer", required: true, read: into(func(i *row) *string { return &i.URL }, issuerURL)},
		{name: "client_id", read: into(func(i *row) *string { return &i.ClientID }, filled)},
		{name: "client_secret", read: into(func(i *row) *string { return &i.Secret }, filled)},
		{name: "client_secret_env", read: into(func(i *row) *string { return &i.SecretFrom }, filled)},
		{name: "audiences", read: texts(func(i *row) *[]string { return &i.Audiences }, filled)},
		{name: "algorithms", read: texts(func(i *row) *[]string { return &i.Algorithms }, algorithm)},
		{name: "authoritative_domains", read: texts(func(i *row) *[]string { return &i.Domains }, domain)},
		{name: "trusted_amr", read: texts(func(i *row) *[]string { return &i.AMR }, filled)},
		{name: "trusted_acr", read: texts(func(i *row) *[]string { return &i.ACR }, filled)},
	}
}

// issuers checks what rows say of themselves as a whole, and of each other.
func (r *reader) issuers(rows []Issuer) {
	names, urls := map[string]int{}, map[string]int{}
	for _, row := range rows {
		if line, twice := names[row.Name]; twice && row.Name != "" {
			r.problemf(row.Line, "name", "%q is that of line %d too", row.Name, line)
		}
		if line, twice := urls[row.URL]; twice && row.URL != "" {
			r.problemf(row.Line, "issuer", "is that of line %d too; one entry says all about an issuer", line)
		}
		names[row.Name], urls[row.URL] = row.Line, row.Line
		switch {
		case row.ClientID == "" && len(row.Audiences) == 0:
			r.problemf(row.Line, "client_id", "is needed to sign in on the pages, audiences to take Bearer tokens; this issuer has neither")
		case row.ClientID == "" && (row.Secret != "" || row.SecretFrom != ""):
			r.problemf(row.Line, "client_secret", "goes with a client_id, which is missing")
		case row.Secret != "" && row.SecretFrom != "":
			r.problemf(row.Line, "client_secret_env", "and client_secret can't be used together: each is the secret")
		}
		if len(row.Algorithms) == 0 {
			r.problemf(row.Line, "algorithms", "must name one at least; leave it out for RS256")
		}
	}
}

func filled(r *reader, path string, n *yaml.Node) (string, bool) {
	const most = 500
	s, ok := text(r, path, n)
	if ok && (s == "" || len(s) > most || strings.TrimSpace(s) != s) {
		r.problemf(n.Line, path, "must be 1 to %d bytes, without spaces around it", most)
		return "", false
	}
	return s, ok
}

func issuerName(r *reader, path string, n *yaml.Node) (string, bool) {
	s, ok := text(r, path, n)
	if ok && !regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$`).MatchString(s) {
		r.problemf(n.Line, path, "must be 1 to 32 of a-z, 0-9 and -: it stands in the path that the issuer sends browsers to")
		return "", false
	}
	return s, ok
}

func title(r *reader, path string, n *yaml.Node) (string, bool) {
	s, ok := filled(r, path, n)
	if ok && len([]rune(s)) > maxTitle {
		r.problemf(n.Line, path, "must be %d characters at most", maxTitle)
		return "", false
	}
	return s, ok
}

// webURL reads an absolute URL of https, or on loopback of http.
func webURL(r *reader, path string, n *yaml.Node) (*url.URL, bool) {
	s, ok := filled(r, path, n)
	if !ok {
		return nil, false
	}
	u, err := url.Parse(s)
	plain := err == nil && u.Host != "" && u.User == nil && !strings.ContainsAny(s, " \\\"'<>")
	if !plain || !iam.Sheltered(u) {
		r.problemf(n.Line, path, "must be an https URL without a user, such as https://login.example.com; http is for loopback addresses only")
		return nil, false
	}
	return u, true
}

func issuerURL(r *reader, path string, n *yaml.Node) (string, bool) {
	u, ok := webURL(r, path, n)
	if ok && (u.RawQuery != "" || strings.Contains(n.Value, "#") || len(n.Value) > iam.MaxIssuer) {
		r.problemf(n.Line, path, "must be the issuer's identifier, to the letter: no query, no fragment, %d bytes at most", iam.MaxIssuer)
		return "", false
	}
	return n.Value, ok
}

func returnURL(r *reader, path string, n *yaml.Node) (string, bool) {
	_, ok := webURL(r, path, n)
	return n.Value, ok
}

// algorithm is one that an issuer signs with by a key of its own. With an HMAC
// whoever verifies could sign as well, and "none" signs nothing.
func algorithm(r *reader, path string, n *yaml.Node) (string, bool) {
	return oneOf("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")(r, path, n)
}

// domain is one of addresses, in the form that they are kept in; "*" is all.
func domain(r *reader, path string, n *yaml.Node) (string, bool) {
	s, ok := filled(r, path, n)
	if !ok || s == "*" {
		return s, ok
	}
	address, err := iam.CanonicalEmail("a@" + s)
	if err != nil {
		r.problemf(n.Line, path, "must be a domain such as example.com, or \"*\" for all addresses")
		return "", false
	}
	return strings.TrimPrefix(address, "a@"), true
}

// Secrets fills in what stands in the environment. The file gives the secret's
// place only, so that it can be kept with other settings.
func (f *Issuers) Secrets(getenv func(string) string) error {
	var missing []string
	for i := range f.Issuers {
		one := &f.Issuers[i]
		if one.SecretFrom == "" {
			continue
		}
		if one.Secret = getenv(one.SecretFrom); one.Secret == "" && !slices.Contains(missing, one.SecretFrom) {
			missing = append(missing, one.SecretFrom)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("client_secret_env: the environment has no %s", strings.Join(missing, ", "))
	}
	return nil
}

// String names the issuer, and no secret.
func (i Issuer) String() string { return i.Name + " (line " + strconv.Itoa(i.Line) + ")" }

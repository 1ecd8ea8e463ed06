package harness

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"hither/test/contract"
)

// Client makes requests as one principal. The zero credential makes them as
// nobody.
type Client struct {
	URL   string // of the server, without /client/v4
	Email string
	Key   string
	Token string
	HTTP  *http.Client

	exempt string
	once   string
}

// Once is the same client, whose requests carry an idempotency key.
func (c Client) Once(key string) Client {
	c.once = key
	return c
}

// Exempt is the same client, whose requests may break api/openapi.yaml because
// of why: deliberate bad input. Answers are held to it all the same.
func (c Client) Exempt(why string) Client {
	c.exempt = why
	return c
}

// As is the same server with a key pair.
func (c Client) As(email string) Client {
	c.Email, c.Key, c.Token = email, Key(email), ""
	return c
}

// Bearer is the same server with a token.
func (c Client) Bearer(token string) Client {
	c.Email, c.Key, c.Token = "", "", token
	return c
}

// Answer is what came back: the envelope, its raw body and its HTTP side.
type Answer struct {
	HTTPStatus int
	Header     http.Header
	Body       []byte

	Result     json.RawMessage `json:"result"`
	Success    bool            `json:"success"`
	Errors     []Message       `json:"errors"`
	Messages   []Message       `json:"messages"`
	ResultInfo struct {
		Page       int `json:"page"`
		PerPage    int `json:"per_page"`
		Count      int `json:"count"`
		TotalCount int `json:"total_count"`
		TotalPages int `json:"total_pages"`
	} `json:"result_info"`
}

// Message is an item of errors or messages.
type Message struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Source  struct {
		Pointer string `json:"pointer"`
	} `json:"source"`
}

// Code is the first error's code, 0 where there is none.
func (a Answer) Code() int {
	if len(a.Errors) == 0 {
		return 0
	}
	return a.Errors[0].Code
}

// Row is a result that is one object, whatever its kind.
type Row struct {
	ID                 string            `json:"id"`
	Status             string            `json:"status"`
	Email              string            `json:"email"`
	InvitedMemberEmail string            `json:"invited_member_email"`
	OrganizationID     string            `json:"organization_id"`
	ExpiresOn          string            `json:"expires_on"`
	Name               string            `json:"name"`
	Roles              []json.RawMessage `json:"roles"`
	NeedsConfirmation  bool              `json:"needs_confirmation"`
	User               struct {
		ID    string `json:"id"`
		Email string `json:"email"`
	} `json:"user"`
}

// Row decodes the result as one object.
func (a Answer) Row(t testing.TB) Row {
	t.Helper()
	return decode[Row](t, a)
}

// Rows decodes the result as a list.
func (a Answer) Rows(t testing.TB) []Row {
	t.Helper()
	return decode[[]Row](t, a)
}

func decode[T any](t testing.TB, a Answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(a.Result, &v); err != nil {
		t.Fatalf("result of %s: %v", tail(string(a.Body)), err)
	}
	return v
}

// File is a body that is not JSON.
type File struct{ Kind, Text string }

// CSV is a file of comma-separated values.
func CSV(text string) File { return File{"text/csv", text} }

// Do makes a request under /client/v4 and reads the answer. body is sent as
// JSON: nil sends none, a json.RawMessage and a File go as they are.
func (c Client) Do(ctx context.Context, method, path string, body any) (Answer, error) {
	if c.exempt != "" {
		ctx = contract.Exempt(ctx, c.exempt)
	}
	var payload io.Reader
	if body != nil {
		file, isFile := body.(File)
		raw, isRaw := body.(json.RawMessage)
		if isFile {
			raw, isRaw = json.RawMessage(file.Text), true
		}
		if !isRaw {
			var err error
			if raw, err = json.Marshal(body); err != nil {
				return Answer{}, err
			}
		}
		payload = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.URL+"/client/v4"+path, payload)
	if err != nil {
		return Answer{}, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
		if file, isFile := body.(File); isFile {
			request.Header.Set("Content-Type", file.Kind)
		}
	}
	if c.Key != "" {
		request.Header.Set("X-Auth-Email", c.Email)
		request.Header.Set("X-Auth-Key", c.Key)
	}
	if c.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if c.once != "" {
		request.Header.Set("Idempotency-Key", c.once)
	}
	response, err := c.HTTP.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	answer := Answer{HTTPStatus: response.StatusCode, Header: response.Header}
	if answer.Body, err = io.ReadAll(response.Body); err != nil {
		return Answer{}, err
	}
	// The two bare deletes have no envelope; their body is there to be read.
	_ = json.Unmarshal(answer.Body, &answer)
	return answer, nil
}

// Must is Do for a request that has to reach the server.
func (c Client) Must(t testing.TB, method, path string, body any) Answer {
	t.Helper()
	answer, err := c.Do(t.Context(), method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

// OK is Must for a request that has to succeed.
func (c Client) OK(t testing.TB, method, path string, body any) Answer {
	t.Helper()
	answer := c.Must(t, method, path, body)
	if answer.HTTPStatus != http.StatusOK {
		t.Fatalf("%s %s: got %d %s, want 200", method, path, answer.HTTPStatus, answer.Body)
	}
	return answer
}

// ByCursor reads all of a list that goes from cursor to cursor. path has a query.
func ByCursor[T any](t testing.TB, c Client, path string) []T {
	t.Helper()
	var all []T
	for cursor := ""; ; {
		var page struct {
			Result []T
			Info   struct{ Cursor string } `json:"result_info"`
		}
		if err := json.Unmarshal(c.OK(t, http.MethodGet, path+"&cursor="+cursor, nil).Body, &page); err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Result...)
		if cursor = page.Info.Cursor; cursor == "" {
			return all
		}
	}
}

// Refused is Must for a request that has to fail with a status and code.
func (c Client) Refused(t testing.TB, method, path string, body any, status, code int) Answer {
	t.Helper()
	answer := c.Must(t, method, path, body)
	if answer.HTTPStatus != status || answer.Code() != code {
		t.Fatalf("%s %s: got %d %s, want %d with code %d", method, path, answer.HTTPStatus, answer.Body, status, code)
	}
	return answer
}

func newHTTPClient(base http.RoundTripper) *http.Client {
	return &http.Client{Transport: base, Timeout: time.Minute}
}

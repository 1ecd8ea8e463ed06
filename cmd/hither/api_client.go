package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// apiSettings say which server a command speaks to, and as whom.
type apiSettings struct {
	URL       string    `default:"http://127.0.0.1:8787" env:"HITHER_URL" help:"The server, without a path: https://hither.example.com, on this machine also http." name:"url" placeholder:"URL"`
	Token     apiSecret `env:"HITHER_API_TOKEN" help:"A token." hidden:""`
	TokenFile string    `env:"HITHER_API_TOKEN_FILE" help:"A file whose first line is a token to show. The token may be in the variable HITHER_API_TOKEN instead." placeholder:"FILE"`
	Email     string    `env:"HITHER_API_EMAIL" help:"Show an API key instead, of the user with this address. The key is in the variable HITHER_API_KEY, or in the file of --key-file." placeholder:"ADDRESS"`
	Key       apiSecret `env:"HITHER_API_KEY" help:"The API key." hidden:""`
	KeyFile   string    `env:"HITHER_API_KEY_FILE" help:"A file whose first line is the API key for --email." placeholder:"FILE"`
}

// apiSecret is a secret of the environment, as variableOnly is.
type apiSecret string

// BeforeResolve runs only where the flag was given.
func (apiSecret) BeforeResolve() error {
	return errors.New("other users of this machine can see command lines; put a token into the variable HITHER_API_TOKEN or a file (--token-file FILE), a key into HITHER_API_KEY or a file (--key-file FILE)")
}

// apiClient speaks to the API of a server.
type apiClient struct {
	base    string
	headers http.Header
	http    *http.Client
	said    io.Writer // hears that a server is waited for
}

const (
	apiTimeout = time.Minute
	// apiPatience is for how long a server that does not answer is asked again.
	apiPatience = time.Minute
	firstPause  = 200 * time.Millisecond
	// maxAnswer bounds what is read of an answer: a preview of 10,000 rows is a few
	// megabytes long.
	maxAnswer = 32 << 20
)

// client checks the settings.
func (a *apiSettings) client(said io.Writer) (*apiClient, error) {
	base, err := url.Parse(a.URL)
	if err != nil || base.Host == "" || base.User != nil || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" {
		return nil, usageError{"--url must be the URL of a server without a path, such as https://hither.example.com (HITHER_URL)"}
	}
	if base.Scheme != "https" && (base.Scheme != "http" || !onThisMachine(base.Hostname())) {
		return nil, usageError{"--url must begin with https:// (HITHER_URL): credentials are shown there; http:// is for this machine alone"}
	}
	headers, err := a.credentials()
	if err != nil {
		return nil, err
	}
	return &apiClient{
		base: base.Scheme + "://" + base.Host + "/client/v4", headers: headers, said: said,
		http: &http.Client{
			Timeout:       apiTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // they would get the credentials
		},
	}, nil
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (a *apiSettings) credentials() (http.Header, error) {
	token, err := secretOf(a.Token, "--token-file", a.TokenFile, "HITHER_API_TOKEN")
	if err != nil {
		return nil, err
	}
	key, err := secretOf(a.Key, "--key-file", a.KeyFile, "HITHER_API_KEY")
	if err != nil {
		return nil, err
	}
	headers := http.Header{}
	switch {
	case token != "" && key != "":
		return nil, usageError{"show a token or a key, not both (HITHER_API_TOKEN, --token-file; HITHER_API_KEY, --key-file)"}
	case token != "":
		headers.Set("Authorization", "Bearer "+token)
	case key == "":
		return nil, usageError{"whose request is it? Show a token (HITHER_API_TOKEN or --token-file FILE), " +
			"or --email ADDRESS with its API key (HITHER_API_KEY or --key-file FILE)"}
	case a.Email == "":
		return nil, usageError{"a key needs --email ADDRESS (HITHER_API_EMAIL): whose it is"}
	default:
		headers.Set("X-Auth-Email", a.Email)
		headers.Set("X-Auth-Key", key)
	}
	return headers, nil
}

func secretOf(given apiSecret, flag, path, variable string) (string, error) {
	switch {
	case given != "" && path != "":
		return "", usageError{fmt.Sprintf("%s and %s (%s_FILE) can't be used together: each is it", variable, flag, variable)}
	case path == "":
		return string(given), nil
	}
	text, err := firstLine(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return text, nil
}

// apiRequest is something to ask of the API. What it asks for takes place once
// however often it is sent.
type apiRequest struct {
	method, path string
	kind         string // of body
	body         []byte
	key          string // its idempotency key, where it has one
}

// refusalError is an answer that is none of success.
type refusalError struct {
	status  int
	after   time.Duration // as Retry-After says
	code    int
	message string
}

func (r *refusalError) Error() string {
	if r.message == "" {
		return fmt.Sprintf("the server answered with status %d, and not as hither does", r.status)
	}
	return fmt.Sprintf("%s (%d)", r.message, r.code)
}

// passing tells whether the same request may succeed later.
func (r *refusalError) passing() bool {
	return r.status == http.StatusTooManyRequests || r.status >= http.StatusInternalServerError
}

// do asks, and asks again while the server is away or busy. result takes the
// result of the envelope; replayed says that it is that of an earlier request.
func (c *apiClient) do(ctx context.Context, request apiRequest, result any) (replayed bool, err error) {
	for start, pause := time.Now(), firstPause; ; pause = min(2*pause, 5*time.Second) {
		replayed, err = c.once(ctx, request, result)
		refusal, refused := errors.AsType[*refusalError](err)
		if err == nil || refused && !refusal.passing() || ctx.Err() != nil || time.Since(start) > apiPatience {
			return replayed, err
		}
		if pause == firstPause {
			_, _ = fmt.Fprintf(c.said, "%v; trying again for %s\n", err, apiPatience)
		}
		if refused {
			pause = max(pause, min(refusal.after, apiPatience))
		}
		if err := waitFor(ctx, pause); err != nil {
			return false, err
		}
	}
}

// waitFor waits, unless ctx ends first.
func waitFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err() //nolint:wrapcheck // the command's own context
	case <-timer.C:
		return nil
	}
}

func (c *apiClient) once(ctx context.Context, request apiRequest, result any) (replayed bool, err error) {
	answer, err := c.send(ctx, request)
	if err != nil {
		return false, err
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	var envelope struct {
		Result  json.RawMessage `json:"result"`
		Success bool            `json:"success"`
	}
	if err := json.Unmarshal(text, &envelope); err != nil || !envelope.Success {
		return false, fmt.Errorf("the answer of %s is not hither's", c.base)
	}
	if err := json.Unmarshal(envelope.Result, result); err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	return answer.Header.Get("Idempotency-Replayed") == "true", nil
}

// send asks once. Its answer is one of success, and the caller's to close.
func (c *apiClient) send(ctx context.Context, request apiRequest) (*http.Response, error) {
	asked, err := http.NewRequestWithContext(ctx, request.method, c.base+request.path, bytes.NewReader(request.body))
	if err != nil {
		return nil, fmt.Errorf("make a request: %w", err)
	}
	asked.Header = c.headers.Clone()
	if request.kind != "" {
		asked.Header.Set("Content-Type", request.kind)
	}
	if request.key != "" {
		asked.Header.Set("Idempotency-Key", request.key)
	}
	answer, err := c.http.Do(asked)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the method and the URL
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	refusal := &refusalError{status: answer.StatusCode}
	seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After")) // 0 where there is none
	refusal.after = time.Duration(seconds) * time.Second
	var envelope struct {
		Errors []struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err == nil && json.Unmarshal(text, &envelope) == nil && len(envelope.Errors) > 0 {
		refusal.code, refusal.message = envelope.Errors[0].Code, envelope.Errors[0].Message
	}
	return nil, refusal
}

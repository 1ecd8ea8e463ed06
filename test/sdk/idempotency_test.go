package sdk_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/cloudflare/cloudflare-go/v7"
	"github.com/cloudflare/cloudflare-go/v7/accounts"
	"github.com/cloudflare/cloudflare-go/v7/option"

	"hither/test/harness"
)

// TestLostAnswer loses the answer to a request that took place. The SDK sends
// such a request again by itself; it adds no idempotency key, and keeps one that
// it was given. Only with one is there one account.
func TestLostAnswer(t *testing.T) {
	t.Parallel()
	demo := harness.Example(t)
	me := client(t, demo, byKey(userEmail, userKey))
	for name, test := range map[string]struct {
		options []option.RequestOption
		want    int
	}{
		"With a key":    {[]option.RequestOption{option.WithHeader("Idempotency-Key", "8e03978e-40d5-43dd-bc93-6894a57f9324")}, 1},
		"Without a key": {nil, 2},
	} {
		var last *http.Response
		sent := 0
		lossy := func(r *http.Request, next option.MiddlewareNext) (*http.Response, error) {
			sent++
			res, err := next(r)
			if err == nil && sent == 1 {
				_ = res.Body.Close()
				return nil, errors.New("the connection broke off")
			}
			return res, err
		}
		options := append(test.options, option.WithMiddleware(lossy), option.WithMaxRetries(2), option.WithResponseInto(&last))
		made := must[*accounts.Account](t, name)(me.Accounts.New(t.Context(), accounts.AccountNewParams{Name: cloudflare.F(name)}, options...))
		if sent != 2 || made.Name != name {
			t.Errorf("%s: sent %d times, got %s, want 2 and the account", name, sent, made.JSON.RawJSON())
		}
		if got := last.Header.Get("Idempotency-Replayed") == "true"; got != (test.want == 1) {
			t.Errorf("%s: replayed is %v", name, got)
		}
		list := must[accountPage](t, "list accounts")(me.Accounts.List(t.Context(), accounts.AccountListParams{Name: cloudflare.F(name)}))
		if len(list.Result) != test.want {
			t.Errorf("%s: got %d accounts, want %d", name, len(list.Result), test.want)
		}
	}
}

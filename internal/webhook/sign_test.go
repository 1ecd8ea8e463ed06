package webhook

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"hither/internal/iam"
)

// A secret that was replaced signs beside the new one until its time is over and not
// one tick after, also where the webhook was in hand before.
func TestAnOldSecretSignsToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		present, old := []byte("a secret of thirty-two bytes 123"), []byte("another one of thirty-two bytes!")
		secrets := []iam.WebhookSecret{{Bytes: present}, {Bytes: old, Until: time.Now().Add(iam.DefaultWebhookOverlap)}}
		const id, body = "0123456789abcdef0123456789abcdef", `{"type":"x"}`
		for _, step := range []struct {
			wait time.Duration
			old  bool
		}{{0, true}, {iam.DefaultWebhookOverlap - time.Nanosecond, true}, {time.Nanosecond, false}, {time.Hour, false}} {
			time.Sleep(step.wait)
			header := http.Header{}
			header.Set(idHeader, id)
			header.Set(timestampHeader, strconv.FormatInt(time.Now().Unix(), 10))
			header.Set(signatureHeader, signature(secrets, id, time.Now(), []byte(body)))
			for name, test := range map[string]struct {
				secret []byte
				want   bool
			}{"present": {present, true}, "old": {old, step.old}} {
				hook, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(test.secret))
				if err != nil {
					t.Fatal(err)
				}
				if err := hook.Verify([]byte(body), header); (err == nil) != test.want {
					t.Errorf("%s before the end, by the %s secret: got %v, want it good: %v", time.Until(secrets[1].Until), name, err, test.want)
				}
			}
		}
	})
}

package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"hither/internal/iam"
)

// The header fields of Standard Webhooks.
const (
	idHeader        = "webhook-id"
	timestampHeader = "webhook-timestamp"
	signatureHeader = "webhook-signature"
)

// signature signs a message of an id at a time with every secret that is good then,
// as Standard Webhooks says: HMAC-SHA-256 over id, time and body, a point between each
// two. Who verifies takes any of them, so while secrets overlap either does.
func signature(secrets []iam.WebhookSecret, id string, at time.Time, body []byte) string {
	var all []string
	for _, secret := range secrets {
		if !secret.Signs(at) {
			continue
		}
		mac := hmac.New(sha256.New, secret.Bytes)
		_, _ = mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		_, _ = mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	return strings.Join(all, " ")
}

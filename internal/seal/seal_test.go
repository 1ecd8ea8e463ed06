package seal_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"hither/internal/seal"
)

// TestNoWayOfPrintingShowsAKey is KF-44 for the keys themselves: whole, within
// other values, exported or not, by each verb.
func TestNoWayOfPrintingShowsAKey(t *testing.T) {
	t.Parallel()
	path := newFile(t)
	ring := load(t, path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(text))
	encoded := fields[len(fields)-1]
	secret, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil || len(secret) != 32 {
		t.Fatalf("the key in %s: %v", text, err)
	}
	inner := strings.Trim(fmt.Sprintf("%v", secret), "[]")   // 1 2 3
	syntax := strings.Trim(fmt.Sprintf("%#v", secret), "[]") // byte{0x1, 0x2}
	forms := []string{
		encoded, hex.EncodeToString(secret), strings.ToUpper(hex.EncodeToString(secret)), string(secret),
		base64.StdEncoding.EncodeToString(secret)[:42], inner, syntax[len("]byte{"):],
	}
	file, err := seal.OpenFile(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	values := []any{
		ring, &ring,
		[]seal.Keyring{ring},
		map[string]seal.Keyring{"ring": ring},
		file,
		struct{ f *seal.File }{file},
		struct{ Ring seal.Keyring }{ring},
		struct{ ring seal.Keyring }{ring},
		&struct{ ring *seal.Keyring }{&ring}, ring.Keys(), ring.Current(),
	}
	want := "keyring[" + ring.Current().ID + "]"
	for _, value := range values {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%b", "%c", "%U", "%t", "%e", "%z"} {
			fmt.Fprintf(&out, verb+"\n", value)
			if got := fmt.Sprintf(verb, ring); got != want {
				t.Errorf("%s: got %s, want %s", verb, got, want)
			}
		}
		if err := json.NewEncoder(&out).Encode(value); err != nil {
			t.Errorf("%T as JSON: %v", value, err)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).Info("a keyring", "value", value, slog.Group("group", "value", value))
		}
	}
	for _, form := range forms {
		if strings.Contains(out.String(), form) {
			t.Errorf("the key shows as %q", form)
		}
	}
	if !strings.Contains(out.String(), want) || !strings.Contains(out.String(), `["`+ring.Current().ID+`"]`) {
		t.Errorf("got %s, want %s among it", out.String(), want)
	}
}

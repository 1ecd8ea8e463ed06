package console

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
)

// A page that can be answered says that it was opened, by what it runs; asking for
// it does not, and what cannot be answered is not counted.
func TestOpeningIsTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		edit  func(w *world)
		told  bool
		older bool
	}{
		"one that can be answered": {func(*world) {}, true, false},
		"by an older link":         {func(w *world) { w.linked.Link.Generation = 2 }, false, true},
		"one that was withdrawn":   {func(w *world) { w.linked.Status = iam.Canceled }, false, false},
		"one that has expired":     {func(w *world) { w.linked.ExpiresOn = noon().Add(-time.Minute) }, false, false},
	} {
		w := newWorld()
		test.edit(w)
		s := newSite(t, w, "https://hither.example.com")
		page := s.do(s.request(http.MethodGet, "/invite", ""))
		if says := strings.Contains(page.Body.String(), `data-opened="/invite/opened"`); says != test.told || len(w.calls) != 0 {
			t.Errorf("%s: the page says %v, and asking for it called %q; want %v and nothing", name, says, w.calls, test.told)
		}
		got := s.do(s.request(http.MethodPost, "/invite/opened", ""))
		if counted := slices.Contains(w.calls, "opened"); counted != test.told || got.Code != http.StatusNoContent || got.Body.Len() > 0 {
			t.Errorf("%s: telling it: %d, counted %v, want 204 and %v", name, got.Code, counted, test.told)
		}
	}
	w := newWorld()
	s := newSite(t, w, "https://hither.example.com")
	r := s.request(http.MethodPost, "/invite/opened", "")
	r.Header.Del("Cookie")
	if got := s.do(r); got.Code != http.StatusNotFound || len(w.calls) != 0 {
		t.Errorf("without a link: got %d and calls %q, want 404 and none", got.Code, w.calls)
	}
}

// withoutOwnScript is a page without the one script that it may have.
func withoutOwnScript(s *site, page string) string {
	return regexp.MustCompile(`<script src="`+regexp.QuoteMeta(s.path(s.scriptPath))+`" nonce="[A-Z0-9]+" data-opened="[a-f0-9/a-z]+/opened" defer></script>`).
		ReplaceAllString(page, "")
}

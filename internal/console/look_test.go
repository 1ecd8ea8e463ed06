package console

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"hither/test/browser"

	"github.com/chromedp/chromedp"
)

// TestLook looks at every page in a browser: wide and narrow, light and dark,
// in one language each, in turn. Nothing may stand in anybody's way, and nothing
// stick out of the narrow window.
func TestLook(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	b := browser.Start(t)
	site := http.NewServeMux()
	front := httptest.NewServer(site)
	t.Cleanup(front.Close)
	for i, e := range exhibits() {
		s := newSite(t, e.world, front.URL)
		if i == 0 {
			site.Handle(s.stylePath, s)
		}
		for _, lang := range languages() {
			site.HandleFunc("/"+e.name+"/"+lang, func(w http.ResponseWriter, _ *http.Request) {
				r := e.request(s)
				r.Header.Set("Accept-Language", lang)
				got := s.do(r)
				maps.Copy(w.Header(), got.Header())
				w.WriteHeader(http.StatusOK) // the browser is to show it, whatever it means
				_, _ = w.Write(got.Body.Bytes())
			})
		}
	}
	for _, look := range browser.Looks() {
		b.As(t, look)
		for i, e := range exhibits() {
			lang := languages()[i%len(languages())]
			if look.Dark {
				lang = languages()[(i+1)%len(languages())]
			}
			b.Do(t, chromedp.Navigate(front.URL+"/"+e.name+"/"+lang))
			wider := browser.See(t, b, chromedp.Evaluate[bool](
				`document.documentElement.scrollWidth > document.documentElement.clientWidth`))
			name := strings.Join([]string{e.name, look.Name(), lang}, "-")
			b.Picture(t, name)
			if wider {
				t.Errorf("%s: something sticks out of the window", name)
			}
			b.Axe(t, name)
		}
	}
}

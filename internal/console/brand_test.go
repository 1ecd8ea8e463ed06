package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestAnyColorIsReadable tries accents from all over the cube: in both schemes
// text in the accent, and text on it, can be read.
func TestAnyColorIsReadable(t *testing.T) {
	t.Parallel()
	const step = 15
	for r := 0; r <= 255; r += step {
		for g := 0; g <= 255; g += step {
			for b := 0; b <= 255; b += step {
				name := fmt.Sprintf("#%02x%02x%02x", r, g, b)
				accent, ok := parseColor(name)
				if !ok {
					t.Fatalf("%s: not read", name)
				}
				for _, ground := range []string{cardLight, cardDark} {
					shown := accent.against(mustColor(ground))
					if got := contrast(shown, mustColor(ground)); got < readable {
						t.Errorf("%s on %s: shown as %s, with a contrast of %.2f", name, ground, shown, got)
					}
					if got := contrast(shown, shown.ink()); got < readable {
						t.Errorf("text on %s for %s: a contrast of %.2f", shown, name, got)
					}
				}
			}
		}
	}
}

// TestColorsAreNumbers holds that nothing an account sets gets into the style as
// it is.
func TestColorsAreNumbers(t *testing.T) {
	t.Parallel()
	form := regexp.MustCompile(`>:root\{--accent:#[0-9a-f]{6};--on-accent:#[0-9a-f]{6}\}@media\(prefers-color-scheme:dark\)` +
		`\{:root\{--accent:#[0-9a-f]{6};--on-accent:#[0-9a-f]{6}\}\}</style>`)
	w := newWorld()
	s := newSite(t, w, "https://hither.example.com")
	style := func(color string) string {
		w.linked.Look.Color = color
		page := s.do(s.request(http.MethodGet, "/invite", "")).Body.String()
		found := form.FindString(page)
		if found == "" {
			t.Errorf("%q: no style of numbers in\n%s", color, page)
		}
		return found
	}
	own := style("")
	for _, color := range []string{"#e8b500", "#E8B500", "red", "#12", "#1234567", "#12345g", "e8b500", "#fff;}body{display:none", "url(x)"} {
		if valid := strings.EqualFold(color, "#e8b500"); valid == (style(color) == own) {
			t.Errorf("%q: got %s", color, style(color))
		}
	}
}

func TestLogosComeFromAllowedHosts(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld(), "https://hither.example.com")
	for address, want := range map[string]string{
		"https://logos.example.com/a.png":      "https://logos.example.com/a.png",
		"https://LOGOS.example.com/a.png":      "https://LOGOS.example.com/a.png",
		"http://logos.example.com/a.png":       "",
		"https://evil.example.com/a.png":       "",
		"https://logos.example.com.evil/a.png": "",
		"https://logos.example.com:444/a.png":  "",
		"https://u:p@logos.example.com/a.png":  "",
		"//logos.example.com/a.png":            "",
		"javascript:alert(1)":                  "",
		"data:image/png;base64,x":              "",
		"":                                     "",
	} {
		if got := s.logo(address); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}

func TestInitial(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"example": "E", "  (42)": "4", "Åland": "Å", "€": "·", "": "·"} {
		if got := initial(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestMasked(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"john@example.com": "j•••@example.com", "a@b.de": "a•••@b.de", "": "•••", "@x": "•••",
	} {
		if got := masked(address); got != want {
			t.Errorf("%q: got %q, want %q", address, got, want)
		}
	}
}

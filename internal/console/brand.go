package console

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// brand is whose page it is: an account's, or the instance's own.
type brand struct {
	Name    string
	Initial string
	Logo    string // a https URL of a host that the operator allows, "" for the initial
	// The accent and the color of text on it, on light pages and on dark ones.
	Light, LightInk, Dark, DarkInk string
}

// What a page is painted on, and our own accent: see static/style.css.
const (
	ownName   = "hither"
	ownColor  = "#3a3fae"
	cardLight = "#fffefb"
	cardDark  = "#1f1c19"
	readable  = 4.5 // the contrast that WCAG 2 asks of text
)

func newBrand(name, color, logo string) brand {
	accent, ok := parseColor(color)
	if !ok {
		accent, _ = parseColor(ownColor)
	}
	light, dark := accent.against(mustColor(cardLight)), accent.against(mustColor(cardDark))
	return brand{
		Name: name, Initial: initial(name), Logo: logo,
		Light: light.String(), LightInk: light.ink().String(), Dark: dark.String(), DarkInk: dark.ink().String(),
	}
}

// color is one of sRGB, each part from 0 to 1.
type color struct{ r, g, b float64 }

// parseColor reads #rrggbb.
func parseColor(s string) (color, bool) {
	digits, ok := strings.CutPrefix(s, "#")
	parts, err := hex.DecodeString(digits)
	if !ok || err != nil || len(parts) != 3 {
		return color{}, false
	}
	return color{float64(parts[0]) / math.MaxUint8, float64(parts[1]) / math.MaxUint8, float64(parts[2]) / math.MaxUint8}, true
}

func mustColor(s string) color {
	c, ok := parseColor(s)
	if !ok {
		panic("console: no color: " + s)
	}
	return c
}

// String is the color as #rrggbb.
func (c color) String() string {
	part := func(v float64) int { return int(math.Round(v * math.MaxUint8)) }
	return fmt.Sprintf("#%02x%02x%02x", part(c.r), part(c.g), part(c.b))
}

// luminance is the relative luminance of WCAG 2.
func (c color) luminance() float64 {
	linear := func(v float64) float64 {
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.r) + 0.7152*linear(c.g) + 0.0722*linear(c.b)
}

// contrast is the ratio of WCAG 2, 1 to 21.
func contrast(a, b color) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// against is the color, mixed with black or white until text in it can be read
// on the ground: whatever an account chooses, its pages stay readable.
func (c color) against(ground color) color {
	const steps = 50
	pole := color{}
	if ground.luminance() < 0.18 { // where black and white stand out alike
		pole = color{1, 1, 1}
	}
	for i := range steps {
		// As it will be written, with eight bits a part.
		if mixed := mustColor(c.mix(pole, float64(i)/steps).String()); contrast(mixed, ground) >= readable {
			return mixed
		}
	}
	return pole
}

func (c color) mix(other color, share float64) color {
	mix := func(a, b float64) float64 { return a + (b-a)*share }
	return color{mix(c.r, other.r), mix(c.g, other.g), mix(c.b, other.b)}
}

// ink is the color of text on c: black or white, of which one always has a
// contrast of 4.58 at least.
func (c color) ink() color {
	black, white := color{}, color{1, 1, 1}
	if contrast(c, white) >= readable {
		return white
	}
	return black
}

// initial stands for a name where there is no logo.
func initial(name string) string {
	for _, r := range name {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return string(unicode.ToUpper(r))
		}
	}
	return "·"
}

// logo is the URL of a picture that a page may show: by https, from a host that
// the operator named, since whoever serves a picture learns who looks at it.
func (c *Console) logo(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || !slices.Contains(c.LogoHosts, strings.ToLower(u.Host)) {
		return ""
	}
	return u.String()
}

package totp

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"strings"

	"github.com/boombuler/barcode/qr"
)

// Secret is a seed for who types it: in groups of four.
func Secret(seed []byte) string {
	const group = 4
	text := encode(seed)
	var groups []string
	for ; len(text) > group; text = text[group:] {
		groups = append(groups, text[:group])
	}
	return strings.Join(append(groups, text), " ")
}

// URL is a seed as authenticators scan it. They show issuer and user above its
// codes.
func URL(issuer, user string, seed []byte) string {
	label := strings.ReplaceAll(issuer, ":", " ") + ":" + user // a colon parts them
	query := url.Values{"secret": {encode(seed)}, "issuer": {issuer}}
	// Not all authenticators read a plus as a space.
	return "otpauth://totp/" + url.PathEscape(label) + "?" + strings.ReplaceAll(query.Encode(), "+", "%20")
}

const (
	pixels = 3 // for each module
	quiet  = 4 // modules around them, as ISO/IEC 18004 asks
)

// Picture is a QR code of a URL, in PNG: black on white whatever the page around
// it is.
func Picture(address string) ([]byte, error) {
	code, err := qr.Encode(address, qr.M, qr.Auto)
	if err != nil {
		return nil, fmt.Errorf("draw a QR code: %w", err)
	}
	modules := code.Bounds()
	edge := (modules.Dx() + 2*quiet) * pixels
	drawn := image.NewPaletted(image.Rect(0, 0, edge, edge), color.Palette{color.White, color.Black})
	for y := range edge {
		for x := range edge {
			module := image.Pt(x/pixels-quiet, y/pixels-quiet)
			if module.In(modules) && code.At(module.X, module.Y) == color.Black {
				drawn.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, drawn); err != nil {
		return nil, fmt.Errorf("draw a QR code: %w", err)
	}
	return b.Bytes(), nil
}

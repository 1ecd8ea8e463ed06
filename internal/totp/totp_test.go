package totp

import (
	"bytes"
	"image"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"
)

// The seed of the vectors of RFC 6238, appendix B.
var vector = []byte("12345678901234567890")

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

// The last six digits of the RFC's own eight are what six digits give.
func TestVectors(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got, err := Code(vector, at(seconds)); err != nil || got != want {
			t.Errorf("at %d: got %q, %v, want %q", seconds, got, err, want)
		}
		if step, ok := (Codes{}).Step(vector, want, at(seconds)); !ok || step != seconds/30 {
			t.Errorf("at %d: step %d, %v, want %d", seconds, step, ok, seconds/30)
		}
	}
}

// A clock may be one step off either way, and no more.
func TestSkew(t *testing.T) {
	t.Parallel()
	const now = 1_800_000_000 // the first second of a step
	for offset, want := range map[int64]bool{-31: false, -30: true, -1: true, 0: true, 29: true, 30: true, 59: true, 60: false} {
		code, err := Code(vector, at(now+offset))
		if err != nil {
			t.Fatal(err)
		}
		step, ok := (Codes{}).Step(vector, code, at(now))
		if ok != want || ok && step != (now+offset)/30 {
			t.Errorf("a clock that is off by %d s: got step %d, %v, want %d, %v", offset, step, ok, (now+offset)/30, want)
		}
	}
}

func TestTyped(t *testing.T) {
	t.Parallel()
	code, err := Code(vector, at(59))
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]bool{
		code: true, "287 082": false, "287082\n": false,
		"": false, "28708": false, "2870820": false, "28708٢": false, "+87082": false, "287082x": false, "000000": false,
		strings.Repeat(" ", 100) + code: false,
	} {
		if _, ok := (Codes{}).Step(vector, typed, at(59)); ok != want {
			t.Errorf("%q: accepted is %v", typed, ok)
		}
	}
	if _, ok := (Codes{}).Step(nil, code, at(59)); ok {
		t.Error("no seed has a code")
	}
	if _, ok := (Codes{}).Step(bytes.Repeat([]byte{1}, 20), code, at(59)); ok {
		t.Error("another seed has the same code")
	}
}

func TestSeedsDiffer(t *testing.T) {
	t.Parallel()
	one, two := (Codes{}).NewSeed(), (Codes{}).NewSeed()
	if len(one) != 20 || bytes.Equal(one, two) {
		t.Errorf("got %x and %x", one, two)
	}
}

func TestURL(t *testing.T) {
	t.Parallel()
	text := URL("hither.example.com", "a+b@example.com", vector)
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/hither.example.com:a+b@example.com" {
		t.Fatalf("got %q, %v", text, err)
	}
	if q := u.Query(); q.Get("issuer") != "hither.example.com" || q.Get("secret") != "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ" {
		t.Errorf("got %v", q)
	}
	if got := Secret(vector); got != "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ" {
		t.Errorf("to type: %q", got)
	}
	if text := URL("a:b", "c", vector); strings.Count(text, ":") != 2 || strings.Contains(text, "+") {
		t.Errorf("got %q", text)
	}
}

// The picture is black and white, has room around it, and a finder in three of
// its corners.
func TestPicture(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"a@example.com", strings.Repeat("x", 64) + "@" + strings.Repeat("y", 21) + ".com"} {
		data, err := Picture(URL("hither.example.com", user, vector))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		edge := picture.Bounds().Dx()
		modules := edge/pixels - 2*quiet
		if edge != picture.Bounds().Dy() || (modules-17)%4 != 0 || len(data) > 3000 {
			t.Errorf("%d pixels, %d modules, %d bytes", edge, modules, len(data))
		}
		dark := func(x, y int) bool {
			r, _, _, _ := picture.At((x+quiet)*pixels+1, (y+quiet)*pixels+1).RGBA()
			return r == 0
		}
		for _, corner := range []image.Point{{0, 0}, {modules - 7, 0}, {0, modules - 7}} {
			for i := range 7 {
				if !dark(corner.X+i, corner.Y) || !dark(corner.X, corner.Y+i) || dark(corner.X+i, corner.Y-1) && corner.Y == 0 {
					t.Errorf("%s: no finder at %v", user, corner)
					break
				}
			}
		}
		for i := -quiet; i < modules+quiet; i++ {
			if dark(i, -1) || dark(-1, i) || dark(i, modules) || dark(modules, i) {
				t.Errorf("%s: something stands in the room around the code", user)
				break
			}
		}
	}
	if _, err := Picture(strings.Repeat("x", 5000)); err == nil {
		t.Error("what fits in no code was drawn")
	}
}

package seal_test

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"hither/internal/seal"
)

const alphabet = "23456789ABCDEFGHJKMNPQRSTVWXYZ"

func TestCodeIsTyped(t *testing.T) {
	t.Parallel()
	ring := newRing()
	link := seal.Link{Purpose: seal.SignIn, ID: row, Generation: 1}
	code := ring.Code(link)
	shown := seal.ShowCode(code)
	if shown[:4]+shown[5:] != code || shown[4] != '-' {
		t.Errorf("shown: got %s of %s, want XXXX-XXXX", shown, code)
	}
	for _, typed := range []string{
		code, shown, strings.ToLower(shown), " " + code + "\n", strings.Join(strings.Split(code, ""), " "),
		code[:4] + "–" + code[4:], code[:4] + "\u00a0" + code[4:], code[:4] + "−" + code[4:],
	} {
		if !ring.MatchCode(link, typed) {
			t.Errorf("typed as %q, the code %s is refused", typed, code)
		}
	}
	for _, typed := range []string{"", "-", code[:7], code + code[:1], code + code, code + strings.Repeat(" ", 64), code[:4] + "_" + code[4:], strings.Repeat("2", 1<<20)} {
		if ring.MatchCode(link, typed) {
			t.Errorf("%.80q is taken for the code %s", typed, code)
		}
	}
	for i := range code {
		for _, c := range alphabet {
			if wrong := code[:i] + string(c) + code[i+1:]; wrong != code && ring.MatchCode(link, wrong) {
				t.Errorf("%s is taken for the code %s", wrong, code)
			}
		}
	}
}

// TestCodeOpensNothingElse is KF-7 for what is typed.
func TestCodeOpensNothingElse(t *testing.T) {
	t.Parallel()
	ring := newRing()
	link := seal.Link{Purpose: seal.SignIn, ID: row, Generation: 1}
	code := ring.Code(link)
	for _, another := range []seal.Link{
		{Purpose: seal.Address, ID: row, Generation: 1},
		{Purpose: seal.SignIn, ID: other, Generation: 1},
		{Purpose: seal.SignIn, ID: row, Generation: 2},
		{Purpose: seal.SignIn, ID: row, Generation: 257},
	} {
		if ring.MatchCode(another, code) {
			t.Errorf("the code of %+v is taken for that of %+v", link, another)
		}
	}
	if newRing().MatchCode(link, code) {
		t.Error("the code of another keyring is taken")
	}
}

func TestCodesAreOfTheAlphabet(t *testing.T) {
	t.Parallel()
	ring := newRing()
	rapid.Check(t, func(rt *rapid.T) {
		link := links.Draw(rt, "link")
		code := ring.Code(link)
		if len(code) != 8 || strings.Trim(code, alphabet) != "" || !ring.MatchCode(link, code) {
			rt.Errorf("code: got %q", code)
		}
	})
}

// TestCodesHaveNoBias counts each character at each place. The key is fixed, so
// that the test comes out alike each time.
func TestCodesHaveNoBias(t *testing.T) {
	t.Parallel()
	ring, err := seal.ParseKeyring("9174df1cbbb2ccfd 2026-01-01T00:00:00Z " + strings.Repeat("A", 43))
	if err != nil {
		t.Fatal(err)
	}
	var counts [8][256]int
	const drawn = seal.MaxGeneration + 1
	for generation := range drawn {
		code := ring.Code(seal.Link{Purpose: seal.SignIn, ID: row, Generation: generation})
		for place := range code {
			counts[place][code[place]]++
		}
	}
	const p = 1.0 / float64(len(alphabet))
	mean, deviation := drawn*p, math.Sqrt(drawn*p*(1-p))
	for place := range counts {
		for _, c := range alphabet {
			if got := counts[place][c]; math.Abs(float64(got)-mean) > 5*deviation {
				t.Errorf("%c at place %d: got %d of %d, want %.0f ± %.0f", c, place, got, drawn, mean, 5*deviation)
			}
		}
	}
}

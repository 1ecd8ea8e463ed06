package iam

import (
	"errors"
	"strings"
	"testing"
)

func TestLookEdit(t *testing.T) {
	t.Parallel()
	was := Look{Brand: Brand{Name: "Old", Color: "#000000", Logo: "https://a.example/x.png"}, Locale: "de"}
	for _, test := range []struct {
		name string
		edit LookEdit
		want Look
		bad  string // the pointer of what is wrong
	}{
		{"nothing", LookEdit{}, was, ""},
		{
			"all",
			LookEdit{new(" New "), new("#AABB00"), new("https://b.example/y.png"), new("en-GB")},
			Look{Brand{"New", "#aabb00", "https://b.example/y.png"}, "en-GB"},
			"",
		},
		{"away", LookEdit{new(""), new(""), new(""), new("")}, Look{}, ""},
		{"line break", LookEdit{Name: new("a\nb")}, was, "/brand/name"},
		{"long name", LookEdit{Name: new(strings.Repeat("a", 101))}, was, "/brand/name"},
		{"word", LookEdit{Color: new("red")}, was, "/brand/color"},
		{"short", LookEdit{Color: new("#fff")}, was, "/brand/color"},
		{"no digit", LookEdit{Color: new("#00000g")}, was, "/brand/color"},
		{"style", LookEdit{Color: new("#000000;}")}, was, "/brand/color"},
		{"plain", LookEdit{Logo: new("http://a.example/x.png")}, was, "/brand/logo"},
		{"script", LookEdit{Logo: new("javascript:alert(1)")}, was, "/brand/logo"},
		{"path", LookEdit{Logo: new("/x.png")}, was, "/brand/logo"},
		{"password", LookEdit{Logo: new("https://u:p@a.example/x.png")}, was, "/brand/logo"},
		{"long logo", LookEdit{Logo: new("https://a.example/" + strings.Repeat("x", 500))}, was, "/brand/logo"},
		{"no tag", LookEdit{Locale: new("d")}, was, "/locale"},
		{"a sentence", LookEdit{Locale: new("de, at")}, was, "/locale"},
	} {
		got, err := test.edit.Apply(was)
		if test.bad != "" {
			refusal, ok := errors.AsType[*Error](err)
			if !ok || refusal.Kind != Invalid || refusal.Field != test.bad {
				t.Errorf("%s: got %v, want a refusal of %s", test.name, err, test.bad)
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("%s: got %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
}

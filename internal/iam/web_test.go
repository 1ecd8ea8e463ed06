package iam

import (
	"net/url"
	"testing"
)

func TestSheltered(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"https://login.example.com": true, "https://127.0.0.1:8443/x": true, "http://127.0.0.1:8787": true, "http://127.9.9.9": true,
		"http://localhost:1/x": true, "http://[::1]:1": true,
		"http://login.example.com": false, "http://localhost.example.com": false, "http://127.0.0.1.example.com": false, "http://10.0.0.1": false,
		"http://localhost@example.com": false, "ftp://localhost": false, "//localhost": false, "http:localhost": false, "": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Sheltered(u); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

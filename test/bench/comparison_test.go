package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// someComparison is a run that nobody made.
func someComparison() comparison {
	round := measured{answers: 100, elapsed: time.Second, cpu: 50 * time.Millisecond, p50: time.Millisecond, p99: 2 * time.Millisecond}
	half := round
	half.answers = 50
	t := &tenant{peer: &hitherPeer{}, seeded: seeded{Durability: "an fsync"}}
	return comparison{
		commit: "abc", races: []raced{
			{race: "one thing", peer: "hither", setup: "plain", times: 20, want: 1, worst: 1},
			{race: "one thing", peer: "another", setup: "plain", times: 20, want: 1, worst: 7, wrong: 3},
			{race: "one thing", peer: "a third", setup: "plain", want: 1, absent: true},
		},
		turns: turns{
			floor: []measured{round},
			peers: []peerTurns{{tenant: t, reads: []measured{half}, invites: []measured{half}, accepts: []measured{round}}},
		},
	}
}

func TestComparison(t *testing.T) {
	t.Parallel()
	text := someComparison().markdown()
	for _, want := range []string{
		"| hither | abc; SQLite with an fsync |",
		"**One thing** (right: 1)",
		"| hither, plain | 0 of 20 | 1 |",
		"| another, plain | 3 of 20 | 7 |",
		"| a third, plain | does not count there | |",
		"| hither | 50 | 0.5000 | 1000.0 µs | **2.0** | 1.00 ms | 2.00 ms | an fsync |",
		"| hither | 100 | 1.0000 | 500.0 µs | **1.0** |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the tables lack %q:\n%s", want, text)
		}
	}
}

// TestComparisonPage holds that a run can put its tables into the page, and
// leaves alone what people wrote.
func TestComparisonPage(t *testing.T) {
	t.Parallel()
	folder, err := repository()
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(folder, "docs", "comparison.md"))
	if err != nil {
		t.Fatal(err)
	}
	written, _, found := strings.Cut(string(page), mark)
	if !found {
		t.Fatalf("docs/comparison.md lacks the line %q", mark)
	}
	path := filepath.Join(t.TempDir(), "comparison.md")
	if err := os.WriteFile(path, page, 0o600); err != nil {
		t.Fatal(err)
	}
	run := someComparison()
	if err := run.into(path); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if want := written + mark + "\n" + run.markdown(); err != nil || string(got) != want {
		t.Errorf("the page with a new run: got %v\n%s\nwant\n%s", err, got, want)
	}
	bare := filepath.Join(t.TempDir(), "bare.md")
	if err := os.WriteFile(bare, []byte("no mark\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run.into(bare); err == nil || !strings.Contains(err.Error(), "lacks the line") {
		t.Errorf("a page without the mark: got %v, want an error that says what it lacks", err)
	}
	var progress strings.Builder
	err = peersCommand(t.Context(), []string{"-o", bare}, io.Discard, &progress)
	if err == nil || !strings.Contains(err.Error(), "-o: "+bare+" lacks the line") || progress.Len() != 0 {
		t.Errorf("peers -o of a page without the mark: got %v after %q, want the error before anything is built", err, progress.String())
	}
}

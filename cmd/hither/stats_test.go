package main

import (
	"strings"
	"testing"
)

func TestStatsCommand(t *testing.T) {
	t.Parallel()
	d, row, _ := withMail(t)
	got := d.object("stats", "--json", "--by", "domain")
	groups, _ := got["groups"].([]any)
	if got["created"] != 1.0 || got["pending"] != 1.0 || got["accepted"] != 0.0 || got["median_answer"] != "" || len(groups) != 1 {
		t.Errorf("stats: got %v, want one that is pending", got)
	}
	if text := d.ok("stats", "--by", "domain"); !strings.Contains(text, "example.com") || !strings.Contains(text, "created") {
		t.Errorf("stats: got %s, want the domain", text)
	}
	if got := d.object("stats", "--json", "--since", "2000-01-01", "--until", "2000-02-01"); got["created"] != 0.0 {
		t.Errorf("stats of another time: got %v, want none", got)
	}
	d.refused("no such account", "stats", "--account", string(row))
	d.refused(`"mood" is none of inviter and domain`, "stats", "--by", "mood")
	d.refused(`"soon" is no date`, "stats", "--since", "soon")
	d.refused("since must be before until", "stats", "--since", "2026-02-01", "--until", "2026-01-01")
}

package mail

import "strings"

// fallback is the language that is always there.
const fallback = "en"

// parents are a language tag and what it falls back to, the nearest first: of
// de-AT these are de-at, de and en (RFC 4647, lookup).
func parents(tag string) []string {
	tag = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(tag), "_", "-"))
	var tags []string
	for tag != "" {
		tags = append(tags, tag)
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
		// A single letter introduces what follows it and means nothing alone.
		if len(tag) >= 2 && tag[len(tag)-2] == '-' {
			tag = tag[:len(tag)-2]
		}
	}
	return append(tags, fallback)
}

// isTag reports whether s could name a language: letters, digits and hyphens.
func isTag(s string) bool {
	first, _, _ := strings.Cut(s, "-")
	return len(first) >= 2 && len(first) <= 8 && len(s) <= 35 &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

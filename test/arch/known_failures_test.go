package arch_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The failures of other systems that docs/security.md says we are free of, by
// the number that their tests bear.
func knownFailures() []int {
	return []int{
		1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37,
		38, 39, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 54, 55, 56, 60, 61, 63, 64, 65, 66, 67, 68, 69, 70, 71, 73, 74, 75, 79,
		80, 81, 82, 83, 84, 85, 86, 87, 88, 89, 90, 92, 93, 94, 95,
		98, 99, 100,
	}
}

// Every known failure is borne by at least one test: a function's or a case's
// name, or the comment above it, has its number.
func TestEveryKnownFailureHasATest(t *testing.T) {
	t.Parallel()
	const root = "../.."
	mention := regexp.MustCompile(`KF-(\d+)\b`)
	found := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !isTestCode(path) || strings.HasSuffix(path, "known_failures_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		for _, match := range mention.FindAllStringSubmatch(string(text), -1) {
			found[match[1]] = append(found[match[1]], path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, number := range knownFailures() {
		if len(found[fmt.Sprint(number)]) == 0 {
			t.Errorf("no test bears KF-%d", number)
		}
	}
}

func isTestCode(path string) bool {
	return strings.HasSuffix(path, "_test.go") || (strings.HasSuffix(path, ".go") && strings.Contains(path, "storetest"))
}

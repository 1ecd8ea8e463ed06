package soak_test

import (
	"os"
	"testing"

	"hither/test/harness"
)

func TestMain(m *testing.M) {
	code := m.Run()
	harness.Clean()
	os.Exit(code)
}

package mail

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFolderHasAFileForEachMessage(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	s, err := NewFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	m := testMessage(t, "charles@example.com")
	other := m
	other.ID = "4567@example.com"
	for _, message := range []Message{m, other, m} { // once more: it is the same file
		if err := s.Send(t.Context(), message); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 2 {
		t.Fatalf("got %v, %v, want two files and nothing half-written", entries, err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil || info.Mode() != 0o600 || !strings.HasSuffix(entry.Name(), ".eml") {
			t.Errorf("got %s of mode %v, %v, want .eml and 0600", entry.Name(), info.Mode(), err)
		}
		text, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil || !bytes.Equal(text, m.MIME) {
			t.Errorf("got %s, %v", text, err)
		}
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if f, ok := errors.AsType[*Failure](s.Send(t.Context(), m)); !ok || f.Permanent || !strings.Contains(f.Words, "writing the message") {
		t.Errorf("no folder: got %+v, want a failure that passes", f)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{folder, file} {
		if _, err := NewFolder(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v, want it refused by name", path, err)
		}
	}
}

func TestLogSaysAllAndThatItDoes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := NewLog(slog.New(slog.NewJSONHandler(&out, nil)))
	if !strings.Contains(out.String(), "WARN") || !strings.Contains(out.String(), "sign in as others") {
		t.Errorf("at the start: got %s, want what such a log is", &out)
	}
	out.Reset()
	m := testMessage(t, "charles@example.com")
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var line struct{ To, Subject, Text string }
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	want := receive(t, m.MIME)
	if line.To != m.To || line.Subject != want.subject || line.Text != want.text || !strings.Contains(line.Text, testBase+"/i/") {
		t.Errorf("got %+v, want the whole text", line)
	}
	if strings.Count(out.String(), "\n") != 1 {
		t.Errorf("got %s, want one line", &out)
	}
}

func TestNoneSaysSo(t *testing.T) {
	t.Parallel()
	if err := (None{}).Send(t.Context(), testMessage(t, "charles@example.com")); !errors.Is(err, ErrNotSent) {
		t.Errorf("got %v, want that nothing is sent", err)
	}
}

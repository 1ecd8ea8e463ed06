package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"hither/internal/iam"
)

// record is a row as a command prints it: named values in order.
type record []attribute

type attribute struct {
	name  string
	value any // what show and jsonValue know; zero times and "" show as nothing
}

// limit is a number of which 0 means that there is none.
type limit int

// list prints records: as JSON whole, else as a table of some columns.
func (s session) list(records []record, columns ...string) error {
	if s.json {
		return writeJSON(s.out, records)
	}
	if len(records) == 0 {
		_, err := fmt.Fprintln(s.err, "none")
		return wrote(err)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, strings.ToUpper(strings.ReplaceAll(strings.Join(columns, "\t"), "_", " ")))
	for _, r := range records {
		cells := make([]string, len(columns))
		for i, column := range columns {
			cells[i] = show(r.value(column))
		}
		_, _ = fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return wrote(table.Flush())
}

// one prints a record: as JSON, else an attribute a line.
func (s session) one(r record) error {
	if s.json {
		return writeJSON(s.out, r)
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	for _, a := range r {
		_, _ = fmt.Fprintf(table, "%s\t%s\n", strings.ReplaceAll(a.name, "_", " "), show(a.value))
	}
	return wrote(table.Flush())
}

// say tells a person what was done; JSON says it by what it holds.
func (s session) say(format string, args ...any) error {
	if s.json {
		return nil
	}
	_, err := fmt.Fprintf(s.out, format+"\n", args...)
	return wrote(err)
}

// MarshalJSON writes the attributes in their order. What is missing is null.
func (r record) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, a := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(a.name) + ":")
		text, err := json.Marshal(jsonValue(a.value))
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", a.name, err)
		}
		b.Write(text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func (r record) value(name string) any {
	for _, a := range r {
		if a.name == name {
			return a.value
		}
	}
	return ""
}

func jsonValue(value any) any {
	switch value := value.(type) {
	case time.Time:
		if value.IsZero() {
			return nil
		}
	case time.Duration:
		return int64(value.Seconds())
	case iam.ID:
		if value == "" {
			return nil
		}
	}
	return value
}

// show is a value as a cell of a table.
func show(value any) string {
	var text string
	switch value := value.(type) {
	case bool:
		text = "no"
		if value {
			text = "yes"
		}
	case time.Time:
		if !value.IsZero() {
			text = value.UTC().Format(time.RFC3339)
		}
	case time.Duration:
		text = value.String()
		if hours := strings.TrimSuffix(text, "0m0s"); strings.HasSuffix(hours, "h") {
			text = hours
		}
	case limit:
		text = "none"
		if value > 0 {
			text = strconv.Itoa(int(value))
		}
	case []string:
		text = strings.Join(value, ", ")
	case map[string]string:
		pairs := make([]string, 0, len(value))
		for _, key := range slices.Sorted(maps.Keys(value)) {
			pairs = append(pairs, key+"="+value[key])
		}
		text = strings.Join(pairs, ", ")
	default:
		text = fmt.Sprint(value)
	}
	if text == "" {
		return "-"
	}
	return text
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return wrote(encoder.Encode(value))
}

func wrote(err error) error {
	if err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

package store

import (
	"fmt"
	"strings"
	"time"

	"hither/internal/iam"
)

// The destinations of a scan. Each turns NULL, which outer joins and empty
// references give, into the zero value. They are types over the field's own,
// so that (*text)(&row.ID) scans into the field without a copy.
type (
	text   string
	number int64
	count  int
	flag   bool
	stamp  time.Time
)

// destinations starts the list of what a row is scanned into. To it everything
// that is read adds its own, in the order of its columns: one list, however much
// is read together, and for all rows of a statement.
func destinations(first ...any) []any {
	const most = 48 // what a listed row has, and a few more
	return append(make([]any, 0, most), first...)
}

// Scan implements sql.Scanner, as the other four do.
func (t *text) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*t = ""
	case string:
		*t = text(v)
	case []byte:
		*t = text(v)
	default:
		return fmt.Errorf("a text is a %T", src)
	}
	return nil
}

func integer(src any) (int64, error) {
	switch v := src.(type) {
	case nil:
		return 0, nil
	case int64:
		return v, nil
	default:
		return 0, fmt.Errorf("an integer is a %T", src)
	}
}

func (n *number) Scan(src any) error {
	v, err := integer(src)
	*n = number(v)
	return err
}

func (n *count) Scan(src any) error {
	v, err := integer(src)
	*n = count(v)
	return err
}

func (f *flag) Scan(src any) error {
	v, err := integer(src)
	*f = v != 0
	return err
}

func (s *stamp) Scan(src any) error {
	v, err := integer(src)
	*s = stamp(fromMicros(v))
	return err
}

// fromMicros and toMicros are how times are kept: UTC microseconds, 0 is the
// zero time.
func fromMicros(v int64) time.Time {
	if v == 0 {
		return time.Time{}
	}
	return time.UnixMicro(v).UTC()
}

func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// bit is how a bool is kept: no engine's own type is the other's.
func bit(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// reference is an id that refers to another row, NULL where it is empty.
func reference(id iam.ID) any {
	if id == "" {
		return nil
	}
	return string(id)
}

// joinIDs is how the ids of roles are kept in one column, in their order.
func joinIDs(roles []iam.Role) string {
	ids := make([]string, len(roles))
	for i, role := range roles {
		ids[i] = string(role.ID)
	}
	return strings.Join(ids, " ")
}

// builder writes a statement whose shape depends on what is asked. Values only
// ever enter through arg: the number of shapes, each prepared once, stays
// small.
type builder struct {
	strings.Builder
	args []any
}

// arg adds a parameter and returns its name.
func (b *builder) arg(value any) string {
	b.args = append(b.args, value)
	return fmt.Sprintf("$%d", len(b.args))
}

// lazy is arg for a value that may not be needed: the parameter is added at
// the first call, and is the same in all further ones.
func (b *builder) lazy(value any) func() string {
	name := ""
	return func() string {
		if name == "" {
			name = b.arg(value)
		}
		return name
	}
}

// list writes values with commas between them.
func (b *builder) list(values []string) {
	for i, value := range values {
		if i > 0 {
			b.add(`, `)
		}
		b.add(b.arg(value))
	}
}

// add writes pieces one after the other.
func (b *builder) add(pieces ...string) {
	for _, piece := range pieces {
		_, _ = b.WriteString(piece) // never fails
	}
}

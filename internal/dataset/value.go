package dataset

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"hither/internal/iam"
)

// into makes a field's reader of a value's reader and of where the value goes.
// Nothing is set where the value is wrong.
func into[T, V any](target func(*T) *V, value func(r *reader, path string, n *yaml.Node) (V, bool)) func(*reader, string, *yaml.Node, *T) {
	return func(r *reader, path string, n *yaml.Node, row *T) {
		if v, ok := value(r, path, n); ok {
			*target(row) = v
		}
	}
}

func text(r *reader, path string, n *yaml.Node) (string, bool) {
	if n.Kind == yaml.ScalarNode && slices.Contains([]string{tagInt, tagFloat, tagBool, tagTime}, n.ShortTag()) {
		r.problemf(n.Line, path, "must be text, not %s; put it in quotes", typeName(n.ShortTag()))
		return "", false
	}
	return n.Value, r.is(path, n, tagText)
}

// word is a text that needs no quotes even where YAML takes it for a number,
// as an id of digits alone is.
func word(r *reader, path string, n *yaml.Node) (string, bool) {
	return n.Value, r.is(path, n, tagText, tagInt, tagFloat)
}

func rowID(r *reader, path string, n *yaml.Node) (iam.ID, bool) {
	s, ok := word(r, path, n)
	if !ok {
		return "", false
	}
	id, ok := iam.ParseID(s)
	if !ok {
		r.problemf(n.Line, path, "must be 32 lower-case hex characters")
	}
	return id, ok
}

func email(r *reader, path string, n *yaml.Node) (string, bool) {
	s, ok := text(r, path, n)
	if !ok {
		return "", false
	}
	address, err := iam.CanonicalEmail(s)
	if err != nil {
		r.problemf(n.Line, path, "%v", err)
	}
	return address, err == nil
}

// secret is a key or token; a message never holds it.
func secret(r *reader, path string, n *yaml.Node) (string, bool) {
	s, ok := word(r, path, n)
	if ok && !iam.WellFormedSecret(s) {
		r.problemf(n.Line, path, "must be %d to %d of 0-9, a-z, A-Z, - and _", iam.MinSecret, iam.MaxSecret)
		return "", false
	}
	return s, ok
}

func boolean(r *reader, path string, n *yaml.Node) (bool, bool) {
	if !r.is(path, n, tagBool) {
		return false, false
	}
	value, err := strconv.ParseBool(strings.ToLower(n.Value))
	if err != nil {
		r.problemf(n.Line, path, "must be true or false")
	}
	return value, err == nil
}

func number(r *reader, path string, n *yaml.Node) (int, bool) {
	if !r.is(path, n, tagInt) {
		return 0, false
	}
	value, err := strconv.Atoi(n.Value)
	if errors.Is(err, strconv.ErrRange) {
		r.problemf(n.Line, path, "is too large")
		return 0, false
	}
	if err != nil || strconv.Itoa(value) != n.Value {
		r.problemf(n.Line, path, "must be a whole number in decimal digits")
		return 0, false
	}
	return value, true
}

func moment(r *reader, path string, n *yaml.Node) (time.Time, bool) {
	if !r.is(path, n, tagTime, tagText) {
		return time.Time{}, false
	}
	at, err := time.Parse(time.RFC3339Nano, n.Value)
	if err != nil {
		r.problemf(n.Line, path, "must be a time with its offset, as in 2026-01-31T12:00:00Z")
	}
	return at.UTC().Truncate(time.Microsecond), err == nil
}

// lifetime is a span such as "168h", or seconds as on the wire.
func lifetime(r *reader, path string, n *yaml.Node) (time.Duration, bool) {
	if !r.is(path, n, tagText, tagInt) {
		return 0, false
	}
	var span time.Duration
	seconds, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		span, err = time.ParseDuration(n.Value)
	} else if seconds >= 0 && seconds <= int64(iam.MaxLifetime/time.Second) {
		span = time.Duration(seconds) * time.Second
	}
	if err != nil || span < iam.MinLifetime || span > iam.MaxLifetime || span%time.Second != 0 {
		r.problemf(n.Line, path, `must be %d to %d whole seconds, or hours such as "168h"`,
			int(iam.MinLifetime.Seconds()), int(iam.MaxLifetime.Seconds()))
		return 0, false
	}
	return span, true
}

// list reads a list whose items are of one type.
func list[V any](item func(r *reader, path string, n *yaml.Node) (V, bool)) func(*reader, string, *yaml.Node) ([]V, bool) {
	return func(r *reader, path string, n *yaml.Node) ([]V, bool) {
		if !r.is(path, n, tagList) {
			return nil, false
		}
		values := make([]V, 0, len(n.Content))
		for i, node := range n.Content {
			if v, ok := item(r, join(path, strconv.Itoa(i)), node); ok {
				values = append(values, v)
			}
		}
		return values, len(values) == len(n.Content)
	}
}

// oneOf reads a text that is one of a few.
func oneOf[V ~string](allowed ...V) func(*reader, string, *yaml.Node) (V, bool) {
	return func(r *reader, path string, n *yaml.Node) (V, bool) {
		s, ok := text(r, path, n)
		if !ok {
			return "", false
		}
		known := make([]string, len(allowed))
		for i, v := range allowed {
			if string(v) == s {
				return v, true
			}
			known[i] = string(v)
		}
		r.problemf(n.Line, path, "%q is unknown; must be one of %s", shorten(s), strings.Join(known, ", "))
		return "", false
	}
}

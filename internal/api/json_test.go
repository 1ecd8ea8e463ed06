package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestParseJSON(t *testing.T) {
	t.Parallel()
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name, text string
		want       any
		refused    bool
		pointer    string
	}{
		{name: "object", text: `{"a":"b","c":[1,true,null,{}]}`, want: map[string]any{"a": "b", "c": []any{json.Number("1"), true, nil, map[string]any{}}}},
		{name: "space around", text: " \n{}\t ", want: map[string]any{}},
		{name: "escapes", text: `"\u00e9\ud83d\ude00\n"`, want: "é😀\n"},
		{name: "big number", text: `123456789012345678901234567890`, want: json.Number("123456789012345678901234567890")},
		{name: "keys that differ in case", text: `{"a":1,"A":2}`, want: map[string]any{"a": json.Number("1"), "A": json.Number("2")}},
		{name: "as deep as may be", text: deep(maxDepth), want: nested(maxDepth)},

		{name: "nothing", text: "", refused: true},
		{name: "only space", text: "  ", refused: true},
		{name: "no JSON", text: "status=accepted", refused: true},
		{name: "half", text: `{"a":`, refused: true},
		{name: "comma at the end", text: `{"a":1,}`, refused: true},
		{name: "comment", text: `{"a":1/**/}`, refused: true},
		{name: "single quotes", text: `{'a':1}`, refused: true},
		{name: "NaN", text: `NaN`, refused: true},
		{name: "octal", text: `01`, refused: true},
		{name: "line break in a string", text: "\"a\nb\"", refused: true},
		{name: "byte order mark", text: "\ufeff{}", refused: true},
		{name: "trailing data", text: `{}{}`, refused: true},
		{name: "trailing text", text: `{} x`, refused: true},
		{name: "invalid UTF-8", text: "\"\xff\"", refused: true},
		{name: "UTF-8 of a surrogate", text: "\"\xed\xa0\x80\"", refused: true},
		{name: "too deep", text: deep(maxDepth + 1), refused: true, pointer: strings.Repeat("/0", maxDepth)},
		{name: "deep enough to break a stack", text: deep(1 << 18), refused: true},
		{name: "too many", text: "[" + strings.Repeat("0,", maxValues) + "0]", refused: true, pointer: "/99999"},
		{name: "KF-26: a key twice", text: `{"status":"rejected","status":"accepted"}`, refused: true, pointer: "/status"},
		{name: "a key twice, spelt otherwise", text: `{"a":1,"\u0061":2}`, refused: true, pointer: "/a"},
		{name: "a key twice, far below", text: `{"a":[{},{"b/c~d":{"e":1,"e":1}}]}`, refused: true, pointer: "/a/1/b~1c~0d/e"},
		{name: "a key twice where nobody looks", text: `{"ignored":{"x":1,"x":2}}`, refused: true, pointer: "/ignored/x"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseJSON([]byte(test.text))
			if !test.refused {
				if err != nil || !reflect.DeepEqual(got, test.want) {
					t.Errorf("%.80q: got %v, %v; want %v", test.text, got, err, test.want)
				}
				return
			}
			refused, ok := errors.AsType[*failure](err)
			if !ok || refused.status != 400 || refused.notice.Code != codeBadBody {
				t.Fatalf("%.80q: got %v, %v; want 400 with 1002", test.text, got, err)
			}
			pointer := ""
			if refused.notice.Source != nil {
				pointer = refused.notice.Source.Pointer
			}
			if pointer != test.pointer {
				t.Errorf("%.80q: blames %q; want %q", test.text, pointer, test.pointer)
			}
		})
	}
}

func nested(n int) any {
	if n == 1 {
		return []any{}
	}
	return []any{nested(n - 1)}
}

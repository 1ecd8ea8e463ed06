package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// allowedCodes gathers the error codes that the document allows, nil where it leaves them open: the response says which
// ones come with its status anywhere, the operation which ones are its own.
func allowedCodes(response, operation map[string]any) []int {
	if _, limited := response[codesKey]; !limited {
		return nil
	}
	return append(codes(response), codes(operation)...)
}

func codes(extensions map[string]any) []int {
	list, _ := extensions[codesKey].([]any)
	found := make([]int, 0, len(list))
	for _, entry := range list {
		if code, ok := entry.(float64); ok {
			found = append(found, int(code))
		}
	}
	return found
}

// wrongCodes reports the errors of a body whose code is none of the allowed ones.
func wrongCodes(body []byte, allowed []int) []string {
	if allowed == nil {
		return nil
	}
	var answer struct {
		Errors []struct {
			Code int `json:"code"`
		} `json:"errors"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return []string{err.Error()}
	}
	var problems []string
	for _, item := range answer.Errors {
		if !slices.Contains(allowed, item.Code) {
			problems = append(problems, fmt.Sprintf("code %d is none of its %s here: %v", item.Code, codesKey, allowed))
		}
	}
	return problems
}

// strict holds a body to what the schema check cannot see: one JSON value and nothing after it, no key twice.
func strict(body []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if err := uniqueKeys(decoder); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// uniqueKeys reads one JSON value, at any depth.
func uniqueKeys(decoder *json.Decoder) error {
	token, err := decoder.Token()
	if err != nil {
		return fmt.Errorf("read JSON: %w", err)
	}
	opening, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	seen := map[string]bool{}
	for decoder.More() {
		if opening == '{' {
			key, err := decoder.Token()
			if err != nil {
				return fmt.Errorf("read JSON: %w", err)
			}
			name := fmt.Sprint(key)
			if seen[name] {
				return fmt.Errorf("the key %q comes twice in one object", name)
			}
			seen[name] = true
		}
		if err := uniqueKeys(decoder); err != nil {
			return err
		}
	}
	if _, err = decoder.Token(); err != nil { // the closing bracket
		return fmt.Errorf("read JSON: %w", err)
	}
	return nil
}

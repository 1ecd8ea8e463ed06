package mail

import (
	"fmt"
	"io/fs"
	"strings"
	"text/template" // for text/plain alone
)

// plain is the layout of the text form.
type plain struct{ layout *template.Template }

func readPlain(layers []fs.FS) (*plain, error) {
	text, err := uppermost(layers, textLayout)
	if err != nil {
		return nil, err
	}
	layout, err := template.New(textLayout).Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	return &plain{layout}, nil
}

// write is a page as plain text.
func (p *plain) write(page page) (string, error) {
	var b strings.Builder
	if err := p.layout.Execute(&b, page); err != nil {
		return "", fmt.Errorf("write the text: %w", err)
	}
	return strings.TrimSpace(b.String()) + "\n", nil
}

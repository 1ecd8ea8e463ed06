package api

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hither/internal/iam"
)

// columns says what the cells of a CSV are.
type columns struct {
	names []string
	comma rune
	line  int // on which the names stand
}

// readCSV reads rows after a line that names their columns.
func readCSV(r *bufio.Reader) ([]iam.BulkRow, error) {
	head, err := readColumns(r)
	if err != nil {
		return nil, err
	}
	reader := csv.NewReader(r)
	reader.Comma, reader.FieldsPerRecord, reader.ReuseRecord = head.comma, -1, true
	reader.TrimLeadingSpace = head.comma != '\t' // which is white space itself
	var list rowList
	for {
		record, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return list.rows, nil
		}
		var odd *csv.ParseError
		switch {
		case errors.As(err, &odd) && odd.StartLine != odd.Line:
			return nil, lineOf(head.line+odd.StartLine, "a cell begins with a quotation mark that closes nowhere near; nothing was taken on")
		case errors.As(err, &odd):
			row, err := list.add(head.line + odd.Line)
			if err != nil {
				return nil, err
			}
			refuse(row, "", "a quotation mark stands where none can: put the whole cell into quotation marks, and double those within it")
			continue
		case err != nil:
			return nil, err //nolint:wrapcheck // upload looks what it is
		}
		if !slices.ContainsFunc(record, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue // as programs leave them at the end of a sheet
		}
		line, _ := reader.FieldPos(0)
		row, err := list.add(head.line + line)
		if err != nil {
			return nil, err
		}
		head.read(row, record)
	}
}

// readColumns reads the first line, and finds out what divides its cells.
func readColumns(r *bufio.Reader) (columns, error) {
	head := columns{}
	text := ""
	for text == "" {
		head.line++
		line, err := r.ReadSlice('\n')
		text = strings.TrimSpace(string(line))
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return head, lineOf(head.line, "it is longer than "+strconv.Itoa(maxBulkLine)+" bytes")
		case err != nil && !errors.Is(err, io.EOF):
			return head, err //nolint:wrapcheck // upload looks what it is
		case err != nil && text == "":
			return head, badBody("", "the body is empty; its first line names the columns, which are "+bulkFields)
		}
	}
	for _, head.comma = range []rune{',', ';', '\t'} {
		reader := csv.NewReader(strings.NewReader(text))
		reader.Comma, reader.TrimLeadingSpace = head.comma, head.comma != '\t'
		names, err := reader.Read()
		if err != nil {
			continue
		}
		for i := range names {
			names[i] = strings.ToLower(strings.TrimSpace(names[i]))
		}
		if slices.Contains(names, emailField) {
			head.names = names
			return head, head.check()
		}
	}
	return head, lineOf(head.line, "it must name the columns, and email be one of them; there are "+bulkFields+
		", with a comma, a semicolon or a tab between two")
}

// check refuses columns that nobody knows, or that are there twice.
func (c columns) check() error {
	known := strings.Split(bulkFields, ", ")
	for i, name := range c.names {
		switch {
		case !slices.Contains(known, name):
			return lineOf(c.line, "there is no column "+strconv.Quote(brief(name))+"; there are "+bulkFields)
		case slices.Index(c.names, name) < i:
			return lineOf(c.line, "the column "+name+" is there twice")
		}
	}
	if !slices.Contains(c.names, rolesField) {
		return lineOf(c.line, "the column roles is missing: ids or names of roles, a comma between two")
	}
	return nil
}

// read takes the cells of a row.
func (c columns) read(row *iam.BulkRow, record []string) {
	for i, cell := range record {
		cell = strings.TrimSpace(cell)
		switch {
		case i >= len(c.names) && cell != "":
			refuse(row, "", "it has "+strconv.Itoa(len(record))+" cells, and the first line names "+strconv.Itoa(len(c.names))+
				" columns; put a cell with a comma or semicolon in it into quotation marks")
			return
		case i >= len(c.names):
		case !utf8.ValidString(cell):
			refuse(row, "/"+c.names[i], c.names[i]+" is not UTF-8; save the file in that encoding")
		case c.names[i] == rolesField:
			// A comma between two is left to iam: names of roles may have one.
			for role := range strings.FieldsFuncSeq(cell, func(r rune) bool { return strings.ContainsRune(";|\n", r) }) {
				if role = strings.TrimSpace(role); role != "" {
					row.Roles = append(row.Roles, strings.Clone(role))
				}
				if len(row.Roles) > iam.MaxRolesPerMember {
					refuse(row, "/"+rolesField, tooManyRoles())
					break
				}
			}
		default:
			setField(row, c.names[i], cell)
		}
	}
	if row.Email == "" {
		refuse(row, "/"+emailField, "email is required")
	}
}

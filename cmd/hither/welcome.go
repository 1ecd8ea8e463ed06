package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"hither/internal/dataset"
	"hither/internal/iam"
)

// welcome is what the demo says when it starts: where it is, and lines to
// paste.
type welcome struct {
	base   string // URL without a path
	pages  string // the same, of the pages
	listen string // as it was asked for
	seed   string // the file it was loaded from, "" for the examples
	rows   iam.Dataset
	drawn  []secret
	// key opens the mailbox and the demo's own routes, "" where they are open.
	key string
}

// wirePath stands before every path of the API.
const wirePath = "/client/v4"

func (w welcome) print(out io.Writer) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "hither demo is running at %s%s\n", w.base, wirePath)
	text.WriteString("on a fresh database that is thrown away when you stop it with Ctrl-C.\n\n")
	if w.seed == "" {
		w.examples(&text)
	} else {
		fmt.Fprintf(&text, "Loaded %s: %s.\n", w.seed, contents(w.rows))
	}
	w.random(&text)
	w.mailbox(&text)
	w.tests(&text)
	fmt.Fprintf(&text, "\nThe whole API is described at %s/openapi.yaml\n", w.base)
	if _, err := out.Write(text.Bytes()); err != nil {
		return fmt.Errorf("print how to use the demo: %w", err)
	}
	return nil
}

// examples walks the life of an invitation.
func (w welcome) examples(text *bytes.Buffer) {
	user, admin := dataset.DocumentationUser, dataset.DocumentationAdmin
	invite := w.base + wirePath + "/user/invites/" + string(dataset.DocumentationInvite)
	members := w.base + wirePath + "/accounts/" + string(dataset.DocumentationInviter) + "/members"

	fmt.Fprintf(text, "%s has invited %s to %q. Paste these lines one by one:\n", admin, user, dataset.DocumentationInviterTitle)
	w.curl(text, "See the invitation. This is the public reference's own example.", invite, user, "")
	w.curl(text, "Accept it.", "-X PATCH "+invite, user, `{"status":"accepted"}`)
	w.curl(text, "See the member appear on the inviting side.", `"`+members+"?email="+user+`"`, admin, "")
	w.curl(text, "Invite somebody else.", members, admin,
		fmt.Sprintf(`{"email":"somebody@example.org","roles":[%q]}`, dataset.DocumentationRole))
}

// curl writes what a line does and the line, with the credentials of a user of
// the dataset.
func (w welcome) curl(text *bytes.Buffer, what, request, email, body string) {
	fmt.Fprintf(text, "\n  %s\n  curl %s -H \"X-Auth-Email: %s\" -H \"X-Auth-Key: %s\"", what, request, email, w.keyOf(email))
	if body != "" {
		fmt.Fprintf(text, " -H \"Content-Type: application/json\" -d '%s'", body)
	}
	text.WriteByte('\n')
}

// keyOf is the first key of a user of the dataset.
func (w welcome) keyOf(email string) string {
	for _, user := range w.rows.Users {
		if user.Email == email && len(user.Keys) > 0 {
			return user.Keys[0]
		}
	}
	return "KEY"
}

// mailbox says where the mails are that the demo sends to nobody.
func (w welcome) mailbox(text *bytes.Buffer) {
	fmt.Fprintf(text, "\nWhat it would mail is in a mailbox for your browser: %s/demo/mail\n", w.pages)
	if w.key != "" {
		fmt.Fprintf(text, "  its key is %s\n", w.key)
	}
	fmt.Fprintf(text, "Open the link of an invitation there, or sign in as any of these people at %s/sign-in\n", w.pages)
	if w.key != "" && strings.HasPrefix(w.pages, "http://") {
		text.WriteString("These pages work on this machine alone; for others put a proxy with https in front, and add --base-url https://HOST\n")
	}
}

// tests names what a demo has for who tests against it.
func (w welcome) tests(text *bytes.Buffer) {
	text.WriteString("\nFor tests: POST " + resetPath + " begins anew, POST " + clockPath + " {\"forward\":\"8d\"} lets time pass,\n" +
		"GET " + mailPath + " lists what was mailed; docs/testing.md has more.\n")
	if w.key != "" {
		text.WriteString("  These take the mailbox's key as a Bearer token.\n")
	}
}

// random lists the keys that nobody can know otherwise.
func (w welcome) random(text *bytes.Buffer) {
	if len(w.drawn) == 0 {
		return
	}
	fmt.Fprintf(text, "\nOther machines can reach %s, so instead of the keys that everybody knows these were made:\n", w.listen)
	for _, s := range w.drawn {
		fmt.Fprintf(text, "  %-6s %s  %s\n", s.kind, s.text, s.owner)
	}
}

// contents counts what a dataset holds.
func contents(rows iam.Dataset) string {
	return fmt.Sprintf("%s, %s, %s, %s, %s",
		counted(len(rows.Users), "user"), counted(len(rows.Accounts), "account"), counted(len(rows.Memberships), "membership"),
		counted(len(rows.Roles), "role"), counted(len(rows.Tokens), "token"))
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

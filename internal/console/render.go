package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed static/style.css
var styleText []byte

// The pages' templates; each shares the layout.
const (
	invitationPage  = "invitation"
	noticePage      = "notice"
	signInPage      = "signin"
	codePage        = "code"
	homePage        = "home"
	sessionsPage    = "sessions"
	keysPage        = "keys"
	factorPage      = "factor"
	setUpPage       = "setup"
	codesPage       = "codes"
	stepPage        = "step"
	stopPage        = "stop"
	mailboxPage     = "mailbox"
	letterPage      = "letter"
	unlockPage      = "unlock"
	addressPage     = "address"
	addressCodePage = "address-code"
)

func pageNames() []string {
	return []string{
		invitationPage, noticePage, signInPage, codePage, homePage, sessionsPage, keysPage, factorPage, setUpPage, codesPage, stepPage,
		stopPage, mailboxPage, letterPage, unlockPage,
		addressPage, addressCodePage,
	}
}

// tongue is one language: its words, and every page in it.
type tongue struct {
	*words

	pages map[string]*template.Template
}

// load reads words, templates and the style once. What is wrong in them shows
// at the start.
func (c *Console) load() error {
	c.tongues = map[string]*tongue{}
	for _, tag := range languages() {
		w, err := loadWords(tag)
		if err != nil {
			return err
		}
		t := &tongue{words: w, pages: map[string]*template.Template{}}
		for _, name := range pageNames() {
			t.pages[name], err = template.New(name).Funcs(c.functions(w)).ParseFS(templateFiles, "templates/layout.html", "templates/"+name+".html")
			if err != nil {
				return fmt.Errorf("template of the page %q: %w", name, err)
			}
		}
		c.tongues[tag] = t
	}
	sum := sha256.Sum256(styleText)
	c.stylePath = "/static/" + hex.EncodeToString(sum[:8]) + ".css"
	c.scriptPath = scriptPathOf()
	return nil
}

func (c *Console) functions(w *words) template.FuncMap {
	return template.FuncMap{
		"t":       w.say,
		"date":    w.date,
		"left":    func(until time.Time) string { return w.left(until, c.Now()) },
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"path":    c.path,
		"initial": initial,
		"list":    func(names []string) string { return strings.Join(names, ", ") },
	}
}

// path is where a browser finds a path of ours.
func (c *Console) path(p string) string { return strings.TrimSuffix(c.Base.Path, "/") + p }

// view is what the layout shows, and the page's own data.
type view struct {
	Lang   string
	Title  string
	Style  string
	Nonce  string
	Brand  brand
	Menu   string // which of the signed-in pages it is, "" for none of them
	Wide   bool
	Signed string // the address of who is signed in
	Opened string // where the page says that it was opened, "" where it does not
	Script string // that does
	Data   any
}

// show answers with a page.
func (x *exchange) show(status int, name string, v view) {
	v.Lang, v.Nonce, v.Style, v.Script = x.lang, x.nonce, x.stylePath, x.scriptPath
	if v.Brand.Name == "" {
		v.Brand = newBrand(ownName, ownColor, "")
	}
	v.Signed = x.actor.User.Email
	var text bytes.Buffer
	if err := x.tongues[x.lang].pages[name].ExecuteTemplate(&text, "layout", v); err != nil {
		panic(fmt.Errorf("console: page %q: %w", name, err))
	}
	x.w.Header().Set("Content-Security-Policy", x.policy(v.Brand.Logo, v.Opened != ""))
	x.write(status, "text/html; charset=utf-8", text.Bytes())
}

func (x *exchange) write(status int, contentType string, body []byte) {
	x.seen.Status = status
	x.w.Header().Set("Content-Type", contentType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // the client may have gone away
}

// to answers what was posted, or a link, with the page to look at next.
func (x *exchange) to(p string) {
	x.w.Header().Set("Location", x.path(p))
	x.seen.Status = http.StatusSeeOther
	x.w.WriteHeader(http.StatusSeeOther)
}

// say is a text in the page's language.
func (x *exchange) say(key string, args ...any) string { return x.tongues[x.lang].must(key, args...) }

// showStyle is the one file beside the pages. Its name is its content's.
func (x *exchange) showStyle() error {
	x.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	x.write(http.StatusOK, "text/css; charset=utf-8", styleText)
	return nil
}

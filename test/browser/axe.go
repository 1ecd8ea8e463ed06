package browser

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// axeVersion is of axe-core, which no Debian package has.
const axeVersion = "4.14.1"

// axe is the script, fetched once by npm; "" where that cannot be had.
var axe = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "hither-axe-*")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	install := exec.CommandContext(ctx, "npm", "install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", folder, "axe-core@"+axeVersion)
	if err := install.Run(); err != nil {
		return "", err
	}
	script, err := os.ReadFile(filepath.Join(folder, "node_modules", "axe-core", "axe.min.js"))
	return string(script), err
})

// Axe holds the page that is shown to what axe-core knows of WCAG 2.2 AA and of
// good practice. The test is skipped, loudly, where npm cannot get axe-core.
func (b *Browser) Axe(t testing.TB, name string) {
	t.Helper()
	script, err := axe()
	if err != nil {
		t.Skipf("LEFT OUT: npm has no axe-core for us, so nobody looked for what keeps people out of the pages: %v", err)
	}
	b.Do(t, chromedp.Evaluate[chromedp.Void](script))
	found := See(t, b, chromedp.Evaluate[string](`axe.run(document, {resultTypes: ["violations"]}).then(r => JSON.stringify(
		r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html + " " + n.failureSummary)}))))`,
		chromedp.EvalAwaitPromise))
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		t.Fatalf("axe: %v: %s", err, found)
	}
	for _, v := range violations {
		t.Errorf("%s: axe %s: %s\n%s", name, v.ID, v.Help, strings.Join(v.Nodes, "\n"))
	}
}

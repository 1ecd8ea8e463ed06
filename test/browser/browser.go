// Package browser drives Debian's Chromium for tests: it clicks through pages
// as a person does, looks for what keeps people out (axe-core), and takes
// pictures. It imports nothing of internal/.
package browser

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// patience bounds a step that hangs and measures nothing.
const patience = 2 * time.Minute

// PicturesVariable names the folder that pictures are written to; unless it is
// set none are taken.
const PicturesVariable = "HITHER_TEST_PICTURES"

// Browser is a running Chromium with one window. It ends with the test.
type Browser struct {
	ctx context.Context //nolint:containedctx // it is the browser: chromedp keeps that in one
}

// Start starts a browser of its own, without cookies or history. The test is
// skipped, loudly, where there is no Chromium.
func Start(t testing.TB) *Browser {
	t.Helper()
	path := find(t)
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		// Root may not use the sandbox; what is looked at are pages of ours.
		chromedp.NoSandbox,
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost"),
	)
	allocated, release := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		cancel()
		release()
	})
	// The browser lives as long as the context of its first step, so that one is
	// bounded otherwise.
	hangs := time.AfterFunc(patience, cancel)
	defer hangs.Stop()
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("browser: %v", err)
	}
	return &Browser{ctx: ctx}
}

func find(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("LEFT OUT: no chromium here (scripts/deps.sh installs it on Debian), so no page was looked at in a browser")
	return ""
}

// Do does what a person would.
func (b *Browser) Do(t testing.TB, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("browser: %v", err)
	}
}

// See is what an action finds out.
func See[T any](t testing.TB, b *Browser, action chromedp.Action[T]) T {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	seen, err := chromedp.Run(ctx, action)
	if err != nil {
		t.Fatalf("browser: %v", err)
	}
	return seen
}

// Look is a window's width in CSS pixels and whether it is dark.
type Look struct {
	Width int64
	Dark  bool
}

// Looks are those that every page is looked at in.
func Looks() []Look { return []Look{{1280, false}, {1280, true}, {360, false}, {360, true}} }

// Name tells a look apart in a file's name.
func (l Look) Name() string {
	name := "light"
	if l.Dark {
		name = "dark"
	}
	if l.Width < 600 {
		return "narrow-" + name
	}
	return "wide-" + name
}

// As makes the window look so.
func (b *Browser) As(t testing.TB, look Look) {
	t.Helper()
	const height = 900
	scheme := "light"
	if look.Dark {
		scheme = "dark"
	}
	b.Do(t,
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
				Width: look.Width, Height: height, DeviceScaleFactor: 1, Mobile: look.Width < 600,
			})
			return err
		}),
		chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
				},
			})
			return err
		}),
	)
}

// Picture writes what the whole page looks like to the folder of pictures.
func (b *Browser) Picture(t testing.TB, name string) {
	t.Helper()
	folder := os.Getenv(PicturesVariable)
	if folder == "" {
		return
	}
	const lossless = 100
	png := See(t, b, chromedp.FullScreenshot(lossless))
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

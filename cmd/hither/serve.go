package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"hither/internal/auth"
	"hither/internal/bulk"
	"hither/internal/dataset"
	"hither/internal/iam"
	"hither/internal/seal"
	"hither/internal/server"
	"hither/internal/sweep"
)

// serveCommand is `hither serve`, and with it the whole configuration.
type serveCommand struct {
	database
	keyringSetting
	deliverySettings
	pagesSetting
	retentionSettings
	webhookSettings
	issuersSetting
	rateSettings
	Listen          string        `default:"127.0.0.1:8787" env:"HITHER_LISTEN" help:"Where the API and the pages are served." placeholder:"HOST:PORT"`
	TLSCert         string        `env:"HITHER_TLS_CERT" help:"Serve HTTPS with this certificate and its chain, in PEM. Goes with --tls-key." name:"tls-cert" placeholder:"FILE"`
	TLSKey          string        `env:"HITHER_TLS_KEY" help:"The certificate's private key, in PEM. Goes with --tls-cert." name:"tls-key" placeholder:"FILE"`
	Roles           string        `env:"HITHER_ROLES" help:"Define exactly the roles of this file beside the built-in ones. Unless given, those of the last time stay." placeholder:"FILE"`
	MetricsListen   string        `env:"HITHER_METRICS_LISTEN" help:"Serve Prometheus metrics at /metrics of this address. Unless given, they are served nowhere." placeholder:"HOST:PORT"`
	LogLevel        logLevel      `default:"info" env:"HITHER_LOG_LEVEL" help:"The least level that is logged: debug, info, warn or error. Requests are info." placeholder:"LEVEL"`
	TrustedProxies  []string      `env:"HITHER_TRUSTED_PROXIES" help:"Networks of proxies in front, as CIDR or single addresses. From these alone X-Forwarded-For is believed: the client is the last address on the way that is none of them. Unless given, the client is whoever connects." placeholder:"CIDR"`
	MaxConnections  int           `default:"4096" env:"HITHER_MAX_CONNECTIONS" help:"How many connections may be open at once; more wait." placeholder:"N"`
	ResendPause     time.Duration `default:"5m" env:"HITHER_RESEND_PAUSE" help:"How long after an invitation it can be sent again; 0s is at once." placeholder:"TIME"`
	MaxResends      int           `default:"10" env:"HITHER_MAX_RESENDS" help:"How often an invitation can be sent again; 0 is any number of times." placeholder:"N"`
	DrainDelay      time.Duration `default:"0s" env:"HITHER_DRAIN_DELAY" help:"At a stop, how long /readyz says so before new connections are refused; give it what your load balancer needs to notice." placeholder:"TIME"`
	ShutdownTimeout time.Duration `default:"20s" env:"HITHER_SHUTDOWN_TIMEOUT" help:"At a stop, how long requests that were begun may take to finish." placeholder:"TIME"`
}

// Validate checks what kong cannot: flags that belong together, and bounds.
func (c *serveCommand) Validate() error {
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		return errors.New("--tls-cert needs --tls-key (HITHER_TLS_KEY): the certificate's private key")
	case c.TLSKey != "" && c.TLSCert == "":
		return errors.New("--tls-key needs --tls-cert (HITHER_TLS_CERT): the key's certificate")
	case c.proxies(&server.Proxies{}) != nil:
		return c.proxies(&server.Proxies{})
	case c.MaxConnections < 1:
		return errors.New("--max-connections must be 1 at least (HITHER_MAX_CONNECTIONS)")
	case c.ResendPause < 0:
		return errors.New("--resend-pause must not be negative (HITHER_RESEND_PAUSE), for example 5m")
	case c.MaxResends < 0:
		return errors.New("--max-resends must not be negative (HITHER_MAX_RESENDS), for example 10")
	case c.DrainDelay < 0:
		return errors.New("--drain-delay must not be negative (HITHER_DRAIN_DELAY)")
	case c.ShutdownTimeout <= 0:
		return errors.New("--shutdown-timeout must be more than 0 (HITHER_SHUTDOWN_TIMEOUT), for example 20s")
	}
	return errors.Join(c.retentionSettings.check(), c.webhookSettings.check())
}

// Run serves until ctx ends.
func (c *serveCommand) Run(ctx context.Context, s streams, env *environment) (err error) {
	collectSeldom()
	if err := c.where().check(); err != nil {
		return err
	}
	at, err := c.keys(c.where(), env)
	if err != nil {
		return err
	}
	login, err := c.logins(env)
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{Level: slog.Level(c.LogLevel)}))
	options, err := c.options(logger)
	if err != nil {
		return err
	}
	options.Issuers = login.issuers

	// The addresses first: where another server has them, its database is not
	// touched.
	public, err := listen(ctx, "--listen", c.Listen)
	if err != nil {
		return err
	}
	defer closing(&err, public)
	metrics, metricsURL, err := c.listenMetrics(ctx)
	if err != nil {
		return err
	}
	if metrics != nil {
		defer closing(&err, metrics)
	}

	db, err := c.open(ctx, logger)
	if err != nil {
		return err
	}
	defer closing(&err, db.store)
	keys, err := c.openKeys(ctx, at, db, logger)
	if err == nil {
		err = c.syncRoles(ctx, db.service)
	}
	if err != nil {
		return err
	}
	policy, err := c.policy(c.BaseURL)
	if err != nil {
		return err
	}
	db.service = c.useCases(db.service, keys).WithWebhooks(webhooks(policy, keys))
	if options.Pages, err = c.pages(keys, login.returnURLs); err != nil {
		return err
	}
	front, err := newServer(db, options)
	if err != nil {
		return err
	}
	delivering, err := c.deliver(ctx, db, keys, front.Options)
	if err != nil {
		return err
	}
	defer closing(&err, delivering)
	defer closing(&err, sendEvents(ctx, db, policy, front.Options))
	logger.Info("serving", "url", baseURL(scheme(options), c.Listen, public), "metrics", metricsURL,
		"data", c.where().String(), "keyring", keys(), "version", buildInfo().Version)
	warnEmpty(ctx, logger, db.service)
	defer startWorkers(ctx, db, c.trimmer(db.service, c.WebhookRetention, logger), logger)()
	return front.Run(ctx, public, metrics)
}

// listenMetrics is where the metrics are, and their URL: nil where they are nowhere.
func (c *serveCommand) listenMetrics(ctx context.Context) (net.Listener, string, error) {
	if c.MetricsListen == "" {
		return nil, "", nil
	}
	metrics, err := listen(ctx, "--metrics-listen", c.MetricsListen)
	if err != nil {
		return nil, "", err
	}
	return metrics, baseURL("http", c.MetricsListen, metrics) + "/metrics", nil
}

// proxies reads --trusted-proxies.
func (c *serveCommand) proxies(into *server.Proxies) error {
	trusted, err := server.ParseProxies(c.TrustedProxies)
	if err != nil {
		return fmt.Errorf("--trusted-proxies: %w (HITHER_TRUSTED_PROXIES)", err)
	}
	*into = trusted
	return nil
}

// logins are whom this server trusts, once the settings that go with that are
// found to be in order.
func (c *serveCommand) logins(env *environment) (trusted, error) {
	if err := errors.Join(c.deliverySettings.check(), c.pagesSetting.check()); err != nil {
		return trusted{}, err
	}
	login, err := c.trusted(env)
	if err == nil && c.BaseURL == "" && login.needsPages() {
		err = usageError{"--issuers: sign-in on the pages (client_id) needs --base-url URL (HITHER_BASE_URL): where people reach this instance"}
	}
	return login, err
}

// options are what of the settings is the server's own.
func (c *serveCommand) options(logger *slog.Logger) (server.Options, error) {
	options := server.Options{
		Logger:          logger,
		Limits:          server.DefaultLimits(),
		DrainDelay:      c.DrainDelay,
		ShutdownTimeout: c.ShutdownTimeout,
	}
	options.Limits.MaxConnections = c.MaxConnections
	options.Rate, options.AddressRate = c.RateLimit, c.AddressRateLimit
	err := c.proxies(&options.Proxies)
	if err == nil {
		options.ReportToken, err = c.reportToken()
	}
	if err == nil && c.TLSCert != "" {
		options.TLS, err = server.TLS(c.TLSCert, c.TLSKey)
	}
	return options, err
}

// scheme is how the server is spoken to.
func scheme(o server.Options) string {
	if o.TLS != nil {
		return "https"
	}
	return "http"
}

// useCases are the use cases as this server's settings have them.
func (c *serveCommand) useCases(service *iam.Service, keys func() seal.Keyring) *iam.Service {
	mailing := c.mailing()
	mailing.ResendPause, mailing.MaxResends = c.ResendPause, c.MaxResends
	return service.WithMailing(mailing).WithSignIn(signIn(keys))
}

// startWorkers does what the clock has to do, and works bulks off, until stop is
// called, which returns when nothing of it is under way. trimmer is nil where
// everything is kept.
func startWorkers(ctx context.Context, db opened, trimmer *sweep.Trimmer, logger *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	worker := sweep.Worker{Sweep: db.service.Sweep, Now: db.now, Logger: logger}
	workers.Go(func() { worker.Run(ctx) })
	bulks := bulk.Worker{
		Name: db.newID(), Running: db.service.RunningBulks, Work: db.service.WorkBulk, Started: db.service.BulkStarted(), Logger: logger,
	}
	workers.Go(func() { bulks.Run(ctx) })
	if trimmer != nil {
		workers.Go(func() { trimmer.Run(ctx) })
	}
	return func() {
		cancel()
		workers.Wait()
	}
}

// collectSeldom lets the heap grow to five times what is in use instead of
// twice, unless GOGC says otherwise. In use are some five megabytes: to collect
// at every further five takes a sixth of the processor under load, and the
// server stays far below what it may have.
//
// The runtime has read GOGC from the process by now. What it made of that tells
// nothing: 100 may be what somebody wants.
func collectSeldom() {
	const seldom = 400
	if os.Getenv("GOGC") == "" { //nolint:forbidigo // the process's own, as the runtime does
		debug.SetGCPercent(seldom)
	}
}

// newServer puts the server together over an open database.
func newServer(db opened, options server.Options) (*server.Server, error) {
	return server.New(over(db, options))
}

// over are the options of a server over an open database.
func over(db opened, options server.Options) server.Options {
	options.Service = db.service
	options.Auth = auth.New(db.store, db.now).WithReporter(options.ReportToken)
	options.Ready = db.store.Ping
	options.NewID, options.Now = db.newID, db.now
	options.Metrics = server.NewMetrics(buildInfo())
	options.Metrics.WatchInvitations(db.invitations.Count)
	options.Metrics.Watch(func() server.StoreStats {
		stats := db.store.Stats()
		return server.StoreStats{
			Commits: stats.Commits, Updates: stats.Closures, Reruns: stats.Reruns, Waiting: stats.Waiting, LastCommit: stats.LastCommit,
		}
	})
	return options
}

// syncRoles makes the roles of the file the ones that are defined.
func (c *serveCommand) syncRoles(ctx context.Context, service *iam.Service) error {
	if c.Roles == "" {
		return nil
	}
	file, err := os.Open(c.Roles)
	if err != nil {
		return fmt.Errorf("--roles: %w", err)
	}
	defer func() { _ = file.Close() }()
	roles, err := dataset.ParseRoles(file)
	if err == nil {
		err = service.SyncRoles(ctx, operator(), iam.OriginFile, roles)
	}
	if err != nil {
		return inFile("--roles", c.Roles, err)
	}
	return nil
}

// warnEmpty tells who starts a server without having set it up what is missing.
func warnEmpty(ctx context.Context, logger *slog.Logger, service *iam.Service) {
	users, err := service.Users(ctx, operator(), iam.PageRequest{Number: 1, Size: 1})
	if err == nil && users.Total == 0 {
		logger.Warn("the database has no user yet, so nobody can use the API; `hither init` makes the first one and its account")
	}
}

// closing closes c and keeps its error unless there is one already.
func closing(err *error, c io.Closer) {
	if failure := c.Close(); failure != nil && !errors.Is(failure, net.ErrClosed) && *err == nil {
		*err = failure
	}
}

// logLevel is a level of slog by name.
type logLevel slog.Level

// UnmarshalText reads debug, info, warn or error.
func (l *logLevel) UnmarshalText(text []byte) error {
	switch string(text) {
	case "debug", "info", "warn", "error":
		return (*slog.Level)(l).UnmarshalText(text) //nolint:wrapcheck // it cannot fail on these
	default:
		return fmt.Errorf("%q is none of debug, info, warn and error", text)
	}
}

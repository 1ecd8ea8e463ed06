package server

import (
	"net/http"

	"hither/internal/api"
	"hither/internal/console"
	"hither/internal/iam"
	"hither/internal/rate"
)

// site is what a Server stands before.
type site struct {
	api   http.Handler
	pages *console.Console // nil: there are none
}

// NewSite returns the API, and the pages where there are some, without what a
// Server does around them. Requests must come through a Server.
func NewSite(o Options) (http.Handler, error) {
	if o.Issuers != nil {
		o.Auth = o.Auth.WithIssuers(o.Issuers, o.Service)
	}
	s := &site{api: api.New(api.Options{
		Service: o.Service, Auth: o.Auth, Logger: o.Logger, NewID: o.NewID, Now: o.Now, InvitationLink: o.links(), Ended: o.Ended,
		Rates: rate.New[iam.ID](o.Rate, o.Now),
	})}
	if o.Pages == nil {
		return s, nil
	}
	pages := *o.Pages
	pages.Service, pages.Sessions, pages.Logger, pages.Now = o.Service, o.Auth, o.Logger, o.Now
	pages.RequestID, pages.Observe = RequestID, observePage
	if o.Issuers != nil {
		pages.Providers = o.Issuers
	}
	var err error
	s.pages, err = console.New(pages)
	return s, err
}

// ServeHTTP has the pages answer what is theirs, and the API all else.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.pages != nil && s.pages.Serves(r) {
		s.pages.ServeHTTP(w, r)
		return
	}
	s.api.ServeHTTP(w, r)
}

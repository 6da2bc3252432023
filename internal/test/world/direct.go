package world

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
)

// Through gives the same person before another handler, in this process.
func (c *Client) Through(handler http.Handler) *Client {
	through := *c
	through.HTTP = &http.Client{Transport: direct{handler}, Jar: c.HTTP.Jar}
	return &through
}

// direct hands requests to a handler as a server would that has read them from a connection.
type direct struct{ handler http.Handler }

// RoundTrip serves a request (http.RoundTripper). What panics is an error of the request, as on a connection.
func (d direct) RoundTrip(r *http.Request) (answer *http.Response, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("the handler panicked: %v", cause)
		}
	}()
	in := r.Clone(r.Context())
	in.RequestURI = r.URL.RequestURI()
	if in.URL, err = url.ParseRequestURI(in.RequestURI); err != nil {
		return nil, err
	}
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RemoteAddr = "127.0.0.1:1"
	recorder := httptest.NewRecorder()
	d.handler.ServeHTTP(recorder, in)
	return recorder.Result(), nil
}

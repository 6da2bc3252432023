package client

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"strings"
	"time"
)

// Login says how a person signs in.
type Login struct {
	Server   string
	Profile  string
	Device   bool // with a browser elsewhere
	ReadOnly bool
	File     File
	Say      io.Writer                                  // where the person is told what to do
	Browser  func(address string) error                 // opens a browser here
	Now      func() time.Time                           // the clock
	Wait     func(context.Context, time.Duration) error // until the next question
}

// patience is how long a person may take.
const patience = 10 * time.Minute

// Run signs in, and keeps what comes of it.
func (l Login) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at, err := discover(ctx, l.Server)
	if err != nil {
		return err
	}
	if open(l.Server) {
		fmt.Fprintf(l.Say, "Note: %s is not encrypted; whoever is on the way can read the token.\n", l.Server)
	}
	got, err := issued{}, errNoBrowser
	if !l.Device {
		got, err = l.browser(ctx, at)
	}
	if errors.Is(err, errNoBrowser) {
		got, err = l.device(ctx, at)
	}
	if ctx.Err() == context.DeadlineExceeded {
		err = errors.New("nobody has approved within ten minutes; begin again")
	}
	if err != nil {
		return err
	}
	made, err := Credential{TokenEndpoint: at.Token, RevocationEndpoint: at.Revocation, Scope: got.Scope}.keep(got, l.Now())
	if err != nil {
		return err
	}
	err = l.File.change(func(servers map[string]Credential) (bool, error) {
		servers[key(l.Server, l.Profile)] = made
		return true, nil
	})
	if err == nil {
		fmt.Fprintf(l.Say, "You are signed in at %s as %q.\nThe mlflow client uses it with MLFLOW_TRACKING_URI=%s and MLFLOW_TRACKING_AUTH=oidc.\n", l.Server, got.Username, l.Server)
	}
	return err
}

func (l Login) fields() url.Values {
	fields := url.Values{"client_id": {clientID}, "client_name": {name()}}
	if l.ReadOnly {
		fields.Set("scope", "read")
	}
	return fields
}

// name is what the person sees on the page that asks: who and where the program is.
func name() string {
	who := ""
	if u, err := user.Current(); err == nil {
		who = u.Username[strings.LastIndexByte(u.Username, '\\')+1:] + "@"
	}
	host, err := os.Hostname()
	if err != nil {
		host = "a computer"
	}
	plain := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, who+host)
	return plain[:min(len(plain), 64)]
}

// device has the person approve with a browser anywhere (RFC 8628).
func (l Login) device(ctx context.Context, at server) (issued, error) {
	var begun struct {
		Device   string  `json:"device_code"`
		User     string  `json:"user_code"`
		Page     string  `json:"verification_uri"`
		Complete string  `json:"verification_uri_complete"`
		Interval float64 `json:"interval"`
	}
	if err := post(ctx, at.DeviceAuthorization, l.fields(), &begun); err != nil {
		return issued{}, err
	}
	fmt.Fprintf(l.Say, "Open %s in a browser, on any machine, and type the code\n\n    %s\n\nor open %s\nwhich must show the same code. Waiting …\n", begun.Page, begun.User, begun.Complete)
	pause := time.Duration(max(begun.Interval, 1) * float64(time.Second))
	for {
		if err := l.Wait(ctx, pause); err != nil {
			return issued{}, err
		}
		var got issued
		err := post(ctx, at.Token, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {begun.Device}}, &got)
		var said problem
		switch {
		case err == nil:
			return got, nil
		case errors.As(err, &said) && said.Code == "slow_down":
			pause += 5 * time.Second
		case errors.As(err, &said) && (said.Code == "authorization_pending" || said.Code == "temporarily_unavailable"):
		case errors.As(err, &said):
			return issued{}, fmt.Errorf("you are not signed in: %w", said)
		default: // the network: once more, as long as there is time (RFC 8628 §3.5)
			pause = min(2*pause, time.Minute)
		}
	}
}

// errNoBrowser says that no browser can be opened here.
var errNoBrowser = errors.New("no browser can be opened here")

func word() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(random)
}

// browser has the person approve with the browser of this machine, which brings the code to a port of this program's
// (RFC 8252 §7.3).
func (l Login) browser(ctx context.Context, at server) (issued, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return issued{}, errNoBrowser
	}
	back := "http://" + listener.Addr().String() + "/callback"
	state, verifier := word(), word()
	challenge := sha256.Sum256([]byte(verifier))
	fields := l.fields()
	for name, value := range map[string]string{"response_type": "code", "redirect_uri": back, "state": state, "code_challenge_method": "S256",
		"code_challenge": base64.RawURLEncoding.EncodeToString(challenge[:])} {
		fields.Set(name, value)
	}
	said := make(chan url.Values, 1)
	listening := &http.Server{Handler: receive(state, at.Issuer, said), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = listening.Serve(listener) }()
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		_ = listening.Shutdown(last) // the browser gets its page first
	}()
	page := at.Authorization + "?" + fields.Encode()
	if err := l.Browser(page); err != nil {
		return issued{}, errNoBrowser
	}
	fmt.Fprintf(l.Say, "Your browser asks whether to sign you in. If it does not open, go to\n\n    %s\n\nor stop this (Ctrl-C) and use --device. Waiting …\n", page)
	var answer url.Values
	select {
	case <-ctx.Done():
		return issued{}, ctx.Err()
	case answer = <-said:
	}
	if answer.Get("code") == "" {
		return issued{}, errors.New("you are not signed in: the request was denied")
	}
	var got issued
	err = post(ctx, at.Token, url.Values{"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "redirect_uri": {back}, "code_verifier": {verifier}}, &got)
	return got, err
}

// receive takes the browser's answer to what began here, at this server, and no other (RFC 9207).
func receive(state, issuer string, said chan<- url.Values) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if r.Method != http.MethodGet || r.URL.Path != "/callback" || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state)) != 1 || query.Get("iss") != issuer {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprintln(w, "This is not the answer that was waited for.")
			return
		}
		select {
		case said <- query:
		default: // it came twice
		}
		fmt.Fprintln(w, "Go back to your terminal; you can close this page.")
	})
}

package terminal

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"time"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/audit"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/httpx"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/login"
)

// view is a page: text, a field for a code, or a question with what it is about.
type view struct {
	Title, Message string
	Field          string // where a typed code goes
	Post, Ticket   string // where the answer to the question goes, and what it is the answer to
	About          []fact
}

type fact struct{ Name, Value string }

var page = template.Must(template.New("page").Parse(`<!doctype html><html lang="en"><head><meta charset="utf-8">` +
	`<meta name="viewport" content="width=device-width,initial-scale=1"><title>{{.Title}}</title><style>` + login.Style + `</style></head>` +
	`<body><main><h1>{{.Title}}</h1>{{range .About}}<p>{{.Name}}: <strong>{{.Value}}</strong></p>{{end}}{{with .Message}}<p role="alert">{{.}}</p>{{end}}` +
	`{{if .Field}}<form action="{{.Field}}"><p><label>Code <input name="user_code" required autofocus autocomplete="off" spellcheck="false" size="11" maxlength="20"></label></p><button>Go on</button></form>{{end}}` +
	`{{if .Post}}<form method="post" action="{{.Post}}"><input type="hidden" name="ticket" value="{{.Ticket}}">` +
	`<button name="answer" value="approve">Approve</button> <button name="answer" value="deny">Deny</button></form>{{end}}</main></body></html>`))

func show(w http.ResponseWriter, status int, v view) { login.Write(w, status, page, v) }

// refuse shows a person what is wrong.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	message := "Something went wrong; the server's log says more."
	var coded *errs.Error
	var known refusal
	status := httpx.Status(err)
	switch {
	case errors.As(err, &known):
		message, status = known.description, http.StatusBadRequest
	case errors.As(err, &coded) && coded.Code != errs.Internal:
		message = coded.Message
	}
	s.Log.WarnContext(r.Context(), "no program was signed in", "path", r.URL.Path, "client", s.Origin.Client(r), "error", err)
	show(w, status, view{Title: "No program was signed in", Message: message})
}

// person is who answers: somebody who is signed in with a browser, and no program. A token must not make another one that
// outlives it. Nobody is led to the login page, and comes back; the function then gives nil and no error.
func (s *Server) person(w http.ResponseWriter, r *http.Request) (*identity.Subject, error) {
	subject, err := s.Authenticate(r)
	if r.Header.Get("Authorization") == "" && (errs.Is(err, errs.Unauthenticated) || err == nil && subject == nil) {
		if r.Method != http.MethodGet {
			return nil, errs.New(errs.Unauthenticated, "you are not signed in any more; begin again at the terminal")
		}
		http.Redirect(w, r, s.Origin.Prefix+"/login?next="+url.QueryEscape(s.Origin.Prefix+r.URL.RequestURI()), http.StatusSeeOther)
		return nil, nil
	}
	switch {
	case err != nil:
		return nil, err
	case subject == nil || subject.Credential != identity.Session || subject.Service || !subject.Active:
		return nil, errs.New(errs.Denied, "programs are signed in by a person who is signed in with a browser, not by a token")
	}
	return subject, nil
}

// ticket is a question that a page has put to a person, so that the answer is to what was shown, and to nothing else.
type ticket struct {
	User      int64
	Until     time.Time
	Ask       int64  // a request that waits; 0: that of this browser, which follows
	Code      string // its user code
	From      program
	Redirect  string
	Challenge string
	State     string
}

const ticketPurpose = "approval of a program"

func (s *Server) seal(t ticket) (string, error) {
	t.Until = s.Now().Add(askFor)
	plain, err := json.Marshal(t)
	if err != nil {
		return "", err
	}
	sealed, err := s.Sealer.Seal(ticketPurpose, plain)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// answer reads what a person has answered to which question. The request must come from a page of our own.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) (t ticket, who *identity.Subject, approved bool, err error) {
	if !s.Origin.SameOrigin(r) {
		return t, nil, false, errs.New(errs.Denied, "this request came from another site and was refused")
	}
	fields, err := form(r)
	if err != nil {
		return t, nil, false, err
	}
	if who, err = s.person(w, r); err != nil {
		return t, nil, false, err
	}
	sealed, err := base64.RawURLEncoding.DecodeString(fields["ticket"])
	var plain []byte
	if err == nil {
		plain, err = s.Sealer.Open(ticketPurpose, sealed)
	}
	if err != nil || json.Unmarshal(plain, &t) != nil || t.User != who.UserID || !s.Now().Before(t.Until) {
		return t, nil, false, errs.New(errs.Invalid, "the question has expired, or was put to somebody else; begin again at the terminal")
	}
	switch fields["answer"] {
	case "approve":
		return t, who, true, nil
	case "deny":
		return t, who, false, nil
	}
	return t, nil, false, errs.New(errs.Invalid, "the answer must be approve or deny")
}

// about is what a person is to know before the answer (RFC 8628 §5.4): who asks, from where, since when, and for what.
func about(who *identity.Subject, from program, place string, at time.Time) []fact {
	granted := "everything that you may do, in your name"
	if from.Scope == readOnly {
		granted = "reading what you may read, in your name"
	}
	return []fact{{"Program", from.Name + " (as it calls itself)"}, {"Place", place}, {"Time", at.UTC().Format("2006-01-02 15:04:05") + " UTC"},
		{"It will be granted", granted}, {"You are", who.Username}}
}

// devicePage asks for a code, and with one whether its program is to be signed in. It changes nothing: whoever sends a link
// with a code has not had it approved.
func (s *Server) devicePage(w http.ResponseWriter, r *http.Request) {
	who, err := s.person(w, r)
	if err != nil {
		s.refuse(w, r, err)
	}
	if who == nil {
		return
	}
	fields, err := once(r.URL.RawQuery)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	here := s.Origin.Prefix + "/oauth/device"
	typed := fields["user_code"]
	if typed == "" {
		show(w, http.StatusOK, view{Title: "Sign a program in", Message: "Type the code that your own terminal shows.", Field: here})
		return
	}
	ask, err := s.find(r, who, typed)
	if errs.Is(err, errs.NotFound) {
		show(w, http.StatusNotFound, view{Title: "Sign a program in", Message: "No program waits with this code. It may have expired; type it again, or begin again at the terminal.", Field: here})
		return
	}
	sealed := ""
	if err == nil {
		sealed, err = s.seal(ticket{User: who.UserID, Ask: ask.ID, Code: ask.UserCode})
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	facts := append([]fact{{"Code", shownUserCode(ask.UserCode)}}, about(who, program{ask.Name, ask.Scope}, ask.Place, ask.CreatedAt)...)
	show(w, http.StatusOK, view{Title: "Sign this program in?", About: facts, Post: here, Ticket: sealed,
		Message: "Approve only if you have just begun this yourself, and your own terminal shows this very code. If somebody has sent you the code or a link, deny."})
}

// find finds the request of a typed code. Who tries many that do not exist is kept waiting.
func (s *Server) find(r *http.Request, who *identity.Subject, typed string) (directory.Ask, error) {
	client, account := s.Origin.Client(r), "user codes of "+who.Username
	if err := s.Failures.Allowed(r.Context(), client, account); err != nil {
		return directory.Ask{}, err
	}
	missing := errs.New(errs.NotFound, "no program waits with this code")
	code, ok := readUserCode(typed)
	if !ok {
		s.Failures.Note(r.Context(), client, account)
		return directory.Ask{}, missing
	}
	ask, err := s.Store.AskByUserCode(r.Context(), code, s.Now())
	if errs.Is(err, errs.NotFound) {
		s.Failures.Note(r.Context(), client, account)
	}
	return ask, err
}

func (s *Server) answerDevice(w http.ResponseWriter, r *http.Request) {
	t, who, approved, err := s.answer(w, r)
	if err == nil && t.Ask == 0 {
		err = errs.New(errs.Invalid, "this is the answer to another question")
	}
	if err == nil {
		state := directory.AskDenied
		if approved {
			state = directory.AskApproved
		}
		err = s.Store.AnswerAsk(r.Context(), t.Ask, who.UserID, state, s.Now())
		if errs.Is(err, errs.NotFound) {
			err = errs.New(errs.NotFound, "no program waits with this code any more; begin again at the terminal")
		}
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	s.note(r, who, approved)
	if !approved {
		show(w, http.StatusOK, view{Title: "The program was denied", Message: "You can close this page."})
		return
	}
	show(w, http.StatusOK, view{Title: "The program is signed in", Message: "Go back to your terminal; you can close this page. The sign-in is in the list of your tokens, and can be revoked there."})
}

func (s *Server) note(r *http.Request, who *identity.Subject, approved bool) {
	cause := "denied"
	if approved {
		cause = "approved"
	}
	s.Audit.Record(r.Context(), audit.Event{Name: audit.TerminalAnswered, By: who.Username, UserID: who.UserID, Cause: cause})
}

// authorizePage asks whether a program on the browser's own machine is to be signed in (RFC 6749 §4.1, RFC 8252). Without a
// challenge by S256 nobody is asked: any program there could take the code.
func (s *Server) authorizePage(w http.ResponseWriter, r *http.Request) {
	fields, err := once(r.URL.RawQuery)
	var from program
	if err == nil {
		from, err = programOf(fields)
	}
	if err == nil {
		err = loopback(fields["redirect_uri"])
	}
	switch challenge, problem := base64.RawURLEncoding.Strict().DecodeString(fields["code_challenge"]); {
	case err != nil:
	case fields["response_type"] != "code":
		err = errs.New(errs.Invalid, "response_type must be code")
	case fields["code_challenge_method"] != "S256" || problem != nil || len(challenge) != 32:
		err = errs.New(errs.Invalid, "code_challenge must be a SHA-256, with code_challenge_method S256")
	case fields["state"] == "" || len(fields["state"]) > 128:
		err = errs.New(errs.Invalid, "state must be given, with at most 128 bytes")
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	who, err := s.person(w, r)
	if err == nil && who == nil {
		return
	}
	sealed := ""
	if err == nil {
		sealed, err = s.seal(ticket{User: who.UserID, From: from, Redirect: fields["redirect_uri"], Challenge: fields["code_challenge"], State: fields["state"]})
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	place := "this machine, " + s.Origin.Client(r) + ", at " + fields["redirect_uri"]
	show(w, http.StatusOK, view{Title: "Sign this program in?", About: about(who, from, place, s.Now()), Post: s.Origin.Prefix + "/oauth/authorize", Ticket: sealed,
		Message: "Approve only if you have just begun this yourself at a terminal of this machine."})
}

func (s *Server) answerAuthorize(w http.ResponseWriter, r *http.Request) {
	t, who, approved, err := s.answer(w, r)
	if err == nil && (t.Ask != 0 || loopback(t.Redirect) != nil) {
		err = errs.New(errs.Invalid, "this is the answer to another question")
	}
	said := url.Values{"state": {t.State}, "iss": {s.Origin.Base(r)}} // RFC 9207
	if err == nil && approved {
		code, now := identity.CodePrefix+word(), s.Now()
		said.Set("code", code)
		err = s.Store.CreateAsk(r.Context(), directory.Ask{Secret: sum(code), Name: t.From.Name, Scope: t.From.Scope, Place: s.Origin.Client(r),
			Redirect: t.Redirect, Challenge: t.Challenge, State: directory.AskApproved, UserID: who.UserID, CreatedAt: now, ExpiresAt: now.Add(codeFor)})
	}
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if !approved {
		said.Set("error", denied.code)
	}
	s.note(r, who, approved)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	http.Redirect(w, r, t.Redirect+"?"+said.Encode(), http.StatusSeeOther) // 303: the answer is not posted on (RFC 9700 §4.12)
}

package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/authz"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/directory"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/extract"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/identity"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/kind"
	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/store"
)

// Requests keep who asks for access, and what was decided.
type Requests interface {
	AskAccess(ctx context.Context, r store.Request) (store.Request, error)
	Request(ctx context.Context, id int64) (store.Request, error)
	MyRequests(ctx context.Context, q store.RequestsQuery) ([]store.Request, int, error)
	OpenRequests(ctx context.Context, after int64, k kind.Name, resource string, most int) ([]store.OpenRequest, error)
	Requests(ctx context.Context, ids []int64) ([]store.Request, error)
	WithdrawRequest(ctx context.Context, userID, id int64) error
	ApproveRequest(ctx context.Context, seen store.Request, level kind.Level, until time.Time) (*authz.Grant, error)
	RefuseRequest(ctx context.Context, seen store.Request, why string) error
	ReopenRequest(ctx context.Context, seen store.Request) error
}

// Asking is what somebody asks for.
type Asking struct {
	Body struct {
		Kind       string `json:"kind" doc:"such as experiment or registered_model"`
		ID         string `json:"id" minLength:"1" maxLength:"255" doc:"what permissions of the kind hold: an experiment's id, else a name"`
		Permission string `json:"permission" doc:"READ, USE, EDIT or MANAGE"`
		Reason     string `json:"reason,omitempty" maxLength:"1000"`
		Ending
	}
}

// AccessRequest is a request with what was decided on it.
type AccessRequest struct {
	ID          int64     `json:"id" doc:"asking again makes another one: what this names does not change"`
	User        string    `json:"user"`
	DisplayName string    `json:"display_name"`
	Kind        string    `json:"kind"`
	Resource    string    `json:"resource"`
	Name        string    `json:"name,omitempty" doc:"of the resource, where it has an id beside it and MLflow tells; to who decides alone"`
	Permission  string    `json:"permission" doc:"what is asked for"`
	Expires     string    `json:"expires_at,omitempty" doc:"until when it is asked for"`
	Reason      string    `json:"reason"`
	AskedAt     time.Time `json:"asked_at"`
	Status      string    `json:"status" doc:"open, approved or refused"`
	DecidedBy   string    `json:"decided_by,omitempty"`
	DecidedAt   string    `json:"decided_at,omitempty"`
	Answer      string    `json:"answer,omitempty" doc:"the word of why it was refused"`
	Given       string    `json:"given,omitempty" doc:"the level that was given for it"`
	GivenUntil  string    `json:"given_until,omitempty"`
	Held        string    `json:"held,omitempty" doc:"the level that who asks has now; to who decides alone"`
}

// ManagedRequests is a page of the requests that the caller may decide on.
type ManagedRequests struct {
	Requests []AccessRequest `json:"requests"`
	Total    *int            `json:"total,omitempty" doc:"on the first page: how many there are among those that were looked at"`
	More     bool            `json:"more" doc:"not all open requests of this server were looked at, so that there may be more than the total; the next pages look at them"`
	Next     *string         `json:"next_page_token" nullable:"true"`
}

// OwnRequests is a page of what the caller has asked for.
type OwnRequests struct {
	Requests []AccessRequest `json:"requests"`
	Total    int             `json:"total" doc:"how many there are in all pages"`
}

// ManagedQuery asks for the requests that the caller may decide on.
type ManagedQuery struct {
	Kind string `query:"kind" doc:"with id: about one resource alone"`
	ID   string `query:"id" maxLength:"255"`
	Pages
}

// OwnQuery asks for one's own requests.
type OwnQuery struct {
	Kind   string `query:"kind"`
	ID     string `query:"id" maxLength:"255" doc:"as it was called when it was asked for; with it the kind"`
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Offset int    `query:"offset" minimum:"0"`
}

// RequestPath names a request.
type RequestPath struct {
	ID int64 `path:"request_id"`
}

// approval says what is given. The level is always named: it is that which was seen, whatever is asked for by then.
type approval struct {
	RequestPath
	Body levelBody
}

type refusal struct {
	RequestPath
	Body struct {
		Answer string `json:"answer,omitempty" maxLength:"1000" doc:"the word of why, for who asked"`
	}
}

// Approval is an approved request with what its user held on the resource before.
type Approval struct {
	Request AccessRequest `json:"request"`
	Before  *heldBefore   `json:"before,omitempty" doc:"what was replaced; left out where there was nothing"`
}

type heldBefore struct {
	Permission string `json:"permission"`
	Expires    string `json:"expires_at,omitempty"`
}

const requestsAt = "/permissions/requests"

func (a *API) requests(r *registrar) {
	add(r, http.MethodPost, requestsAt, 201, "Ask for a permission on a resource, in place of what was asked for it before", a.Ask)
	add(r, http.MethodGet, requestsAt, 200, "Open requests for what the caller manages", a.ManagedRequests)
	add(r, http.MethodGet, requestsAt+"/mine", 200, "What the caller has asked for, and what was decided", a.OwnRequests)
	add(r, http.MethodPost, requestsAt+"/{request_id}/approve", 200, "Approve a request: give its user a permission", a.Approve)
	add(r, http.MethodPost, requestsAt+"/{request_id}/refuse", 200, "Refuse a request", a.Refuse)
	add(r, http.MethodPost, requestsAt+"/{request_id}/reopen", 200, "Have a request be decided on anew; what it has given stays", a.Reopen)
	add(r, http.MethodDelete, requestsAt+"/{request_id}", 200, "Withdraw one's own request", func(ctx context.Context, s *identity.Subject, in *RequestPath) (message, error) {
		return message{Message: "The request has been withdrawn"}, a.Requests.WithdrawRequest(ctx, s.UserID, in.ID)
	})
}

// Ask stores a request. It is taken alike for what exists and what does not, and nobody is told by it which of them it is: who asks
// learns no more than that they cannot read it.
func (a *API) Ask(ctx context.Context, s *identity.Subject, in *Asking) (AccessRequest, error) {
	if s.Service {
		return AccessRequest{}, errs.New(errs.Denied, "service accounts ask for nothing: who looks after one has its permissions given")
	}
	k, err := a.askedKind(in.Body.Kind)
	if err != nil {
		return AccessRequest{}, err
	}
	if err := extract.Held(k, in.Body.ID); err != nil {
		return AccessRequest{}, err
	}
	level, err := parseLevel(in.Body.Permission)
	if err == nil && level == kind.NoPermissions {
		err = errs.New(errs.Invalid, "ask for READ or more")
	}
	if err != nil {
		return AccessRequest{}, err
	}
	until, err := a.until(in.Body.Ending)
	if err != nil {
		return AccessRequest{}, err
	}
	if err := a.lacks(ctx, s, k, in.Body.ID, level); err != nil {
		return AccessRequest{}, err
	}
	r := store.Request{UserID: s.UserID, Kind: k.Name, Asked: in.Body.ID, Level: level}
	if until != nil {
		r.Until = *until
	}
	if r.Reason, err = plainText("reason", in.Body.Reason); err != nil {
		return AccessRequest{}, err
	}
	made, err := a.Requests.AskAccess(ctx, r)
	return shownRequest(made, made.Asked), err
}

// lacks refuses to ask for what one has already, without end.
func (a *API) lacks(ctx context.Context, s *identity.Subject, k kind.Kind, id string, level kind.Level) error {
	mine, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return err
	}
	on, err := a.resource(ctx, s, mine, k.Name, id)
	if errs.Is(err, errs.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if d := a.Rules.Decide(s.Decider(), mine, on, level); d.Allowed && (d.Grant == nil || d.Grant.Expires.IsZero()) {
		return errs.New(errs.Invalid, "you have %s on the %s %q already", d.Level, k.Title, id)
	}
	return nil
}

// plainText is a text for people: lines, and no other control characters, by which a terminal or a log could be led.
func plainText(field, text string) (string, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t' || r == unicode.ReplacementChar
	}) {
		return "", errs.New(errs.Invalid, "%s must be plain text", field)
	}
	return text, nil
}

func shownRequest(r store.Request, called string) AccessRequest {
	one := AccessRequest{ID: r.ID, User: r.Username, DisplayName: r.DisplayName, Kind: string(r.Kind), Resource: called, Permission: r.Level.String(), Expires: shownEnd(r.Until),
		Reason: r.Reason, AskedAt: r.AskedAt, Status: string(r.Status), DecidedBy: r.DecidedBy, DecidedAt: shownEnd(r.DecidedAt), Answer: r.Answer, GivenUntil: shownEnd(r.GivenUntil)}
	if r.Given != kind.NoPermissions {
		one.Given = r.Given.String()
	}
	return one
}

// OwnRequests lists what the caller has asked for. What was renamed has its new name for whoever may read it, and for others the one
// that they know.
func (a *API) OwnRequests(ctx context.Context, s *identity.Subject, in *OwnQuery) (OwnRequests, error) {
	page := OwnRequests{Requests: []AccessRequest{}}
	q := store.RequestsQuery{UserID: s.UserID, Asked: in.ID, Limit: in.Limit, Offset: in.Offset}
	if in.Kind != "" || in.ID != "" {
		k, err := a.askedKind(in.Kind)
		if err != nil {
			return page, err
		}
		q.Kind = k.Name
	}
	mine, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return page, err
	}
	found, total, err := a.Requests.MyRequests(ctx, q)
	if err != nil {
		return page, err
	}
	page.Total = total
	for _, r := range found {
		called := r.Asked
		if r.Resource != r.Asked && !r.Lapsed {
			on, err := a.resource(ctx, s, mine, r.Kind, r.Resource)
			if err == nil && a.Rules.Decide(s.Decider(), mine, on, kind.Read).Allowed {
				called = r.Resource
			}
		}
		page.Requests = append(page.Requests, shownRequest(r, called))
	}
	return page, nil
}

// mostLookedAt bounds the open requests that one page looks at. What each is about is decided once: from memory, but where a name
// decides, which MLflow may have to be asked for. Anybody can ask for what does not exist, and must not have MLflow be asked without end.
const (
	mostLookedAt = 5000
	mostNamed    = 300
	mostAtOnce   = 100
)

// ManagedRequests lists the open requests that the caller may decide on, the oldest first.
func (a *API) ManagedRequests(ctx context.Context, s *identity.Subject, in *ManagedQuery) (ManagedRequests, error) {
	page := ManagedRequests{Requests: []AccessRequest{}}
	after, of, err := a.requestsPage(ctx, s, in)
	if err != nil {
		return page, err
	}
	open, err := a.Requests.OpenRequests(ctx, after, of, in.ID, mostLookedAt)
	if err != nil {
		return page, err
	}
	a, _ = a.asking()
	ids, looked, err := a.managedOf(ctx, s, open)
	if err != nil {
		return page, err
	}
	page.More = len(open) == mostLookedAt || looked < len(open)
	in.Most = min(in.Most, mostAtOnce)
	if total := len(ids); in.Token == "" {
		page.Total = &total
	}
	if len(ids) > in.Most {
		ids = ids[:in.Most]
		page.Next = nextPage(strconv.FormatInt(ids[in.Most-1], 10))
	} else if page.More {
		page.Next = nextPage(strconv.FormatInt(open[looked-1].ID, 10))
	}
	found, err := a.Requests.Requests(ctx, ids)
	for _, r := range found {
		page.Requests = append(page.Requests, a.decidableRequest(ctx, r))
	}
	return page, err
}

// requestsPage reads where a page begins, and what it is about.
func (a *API) requestsPage(ctx context.Context, s *identity.Subject, in *ManagedQuery) (after int64, of kind.Name, err error) {
	if in.Kind != "" || in.ID != "" {
		k, err := a.askedKind(in.Kind)
		if err == nil {
			err = a.manages(ctx, s, k, in.ID)
		}
		if err != nil {
			return 0, "", err
		}
		of = k.Name
	}
	place, err := in.after()
	if err == nil && place != "" {
		if after, err = strconv.ParseInt(place, 10, 64); err != nil {
			err = errs.New(errs.Invalid, "page_token is not one that this server gave")
		}
	}
	return after, of, err
}

// managedOf leaves those requests that the caller may decide on, and tells how many it has looked at. What MLflow cannot say now is not
// among them.
func (a *API) managedOf(ctx context.Context, s *identity.Subject, open []store.OpenRequest) (ids []int64, looked int, err error) {
	mine, err := a.Grants.Of(ctx, s.UserID)
	if err != nil {
		return nil, 0, err
	}
	known, named := map[spot]bool{}, 0
	for i, r := range open {
		on := spot{r.Kind, r.Resource}
		managed, ok := known[on]
		if !ok {
			k, _ := kind.Of(r.Kind)
			if !s.Admin && (a.Rules.Workspaces && (k.ByID || k.Parent != "") || mine.NeedsName(r.Kind) || k.Parent != "" && mine.NeedsName(k.Parent)) {
				if named++; named > mostNamed {
					return ids, i, nil
				}
			}
			err := a.manages(ctx, s, k, r.Resource)
			if err != nil && !errs.Is(err, errs.Denied) && !errs.Is(err, errs.Invalid) && !isSilent(err) {
				return nil, 0, err
			}
			managed = err == nil
			known[on] = managed
		}
		if managed {
			ids = append(ids, r.ID)
		}
	}
	return ids, len(open), nil
}

// decidableRequest shows a request to who decides on it.
func (a *API) decidableRequest(ctx context.Context, r store.Request) AccessRequest {
	one := shownRequest(r, r.Resource)
	k, _ := kind.Of(r.Kind)
	one.Name = a.nameOf(ctx, k, r.Resource)
	who := directory.User{ID: r.UserID, Username: r.Username, Admin: r.Admin, Active: r.Active}
	if e, _, silent, err := a.unsure(ctx, who, r.Kind, r.Resource); err == nil && silent == nil {
		one.Held = e.Level.String()
	}
	return one
}

// decidable finds a request that the caller may decide on. What they may not is as what is not there; and nobody decides on their own.
func (a *API) decidable(ctx context.Context, s *identity.Subject, id int64) (store.Request, error) {
	hidden := errs.New(errs.NotFound, "there is no such request, or it is not yours to decide")
	r, err := a.Requests.Request(ctx, id)
	if errs.Is(err, errs.NotFound) {
		return r, hidden
	}
	if err != nil {
		return r, err
	}
	k, ok := kind.Of(r.Kind)
	if !ok || r.Lapsed || !r.Active {
		return r, hidden
	}
	err = a.manages(ctx, s, k, r.Resource)
	if errs.Is(err, errs.Denied) || errs.Is(err, errs.Invalid) {
		return r, hidden
	}
	if err == nil && r.UserID == s.UserID {
		err = errs.New(errs.Denied, "this is your own request: somebody else decides on it")
	}
	return r, err
}

// Approve gives what the body names to who asked: what the caller could give by the permissions of the resource. An end that is left out
// is the one that was asked for.
func (a *API) Approve(ctx context.Context, s *identity.Subject, in *approval) (Approval, error) {
	r, err := a.decidable(ctx, s, in.ID)
	if err != nil {
		return Approval{}, err
	}
	level, err := parseLevel(in.Body.Permission)
	if err == nil && level == kind.NoPermissions {
		err = errs.New(errs.Invalid, "to give nothing is to refuse")
	}
	if err != nil {
		return Approval{}, err
	}
	if !in.Body.ExpiresAt.Given {
		in.Body.ExpiresAt = Expiry{Given: true, At: r.Until}
	}
	until, err := a.until(in.Body.Ending)
	if err != nil {
		return Approval{}, err
	}
	before, err := a.Requests.ApproveRequest(ctx, r, level, *until)
	if err != nil {
		return Approval{}, err
	}
	done := Approval{}
	if before != nil {
		done.Before = &heldBefore{before.Level.String(), shownEnd(before.Expires)}
	}
	done.Request, err = a.outcome(ctx, in.ID)
	return done, err
}

// Refuse notes that what was asked for is not given.
func (a *API) Refuse(ctx context.Context, s *identity.Subject, in *refusal) (AccessRequest, error) {
	r, err := a.decidable(ctx, s, in.ID)
	if err != nil {
		return AccessRequest{}, err
	}
	why, err := plainText("answer", in.Body.Answer)
	if err == nil {
		err = a.Requests.RefuseRequest(ctx, r, why)
	}
	if err != nil {
		return AccessRequest{}, err
	}
	return a.outcome(ctx, in.ID)
}

// Reopen takes a decision back. Taking what it gave is a matter of permissions.
func (a *API) Reopen(ctx context.Context, s *identity.Subject, in *RequestPath) (AccessRequest, error) {
	r, err := a.decidable(ctx, s, in.ID)
	if err == nil {
		err = a.Requests.ReopenRequest(ctx, r)
	}
	if err != nil {
		return AccessRequest{}, err
	}
	return a.outcome(ctx, in.ID)
}

func (a *API) outcome(ctx context.Context, id int64) (AccessRequest, error) {
	r, err := a.Requests.Request(ctx, id)
	if err != nil {
		return AccessRequest{}, err
	}
	return a.decidableRequest(ctx, r), nil
}

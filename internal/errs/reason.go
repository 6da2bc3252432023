package errs

import "errors"

// Reason says why a sign-in ended where the code does not tell: by it a page says what can be done.
type Reason string

// The reasons, each with something of its own that a person or an administrator can do.
const (
	SignInGone      Reason = "sign_in_gone"     // it is not under way in this browser, or not any more
	SignInExpired   Reason = "sign_in_expired"  // it took too long
	NoCookie        Reason = "no_cookie"        // the browser sent none at all
	ProviderDown    Reason = "provider_down"    // the identity provider does not answer, or not as it should
	ProviderRefused Reason = "provider_refused" // it, or the person there, said no
	CodeRefused     Reason = "code_refused"     // it does not take back the code that it gave
	Misconfigured   Reason = "misconfigured"    // it and our settings do not fit together
	Clocks          Reason = "clocks"           // its clock and ours differ
	NotAllowed      Reason = "not_allowed"      // the person is in none of the groups that may sign in
	Deactivated     Reason = "deactivated"      // the person's account is
	NameTaken       Reason = "name_taken"       // another account has the person's name
	Foreign         Reason = "foreign"          // a page of another site began this
)

// Reasons gives all of them.
func Reasons() []Reason {
	return []Reason{SignInGone, SignInExpired, NoCookie, ProviderDown, ProviderRefused, CodeRefused, Misconfigured, Clocks, NotAllowed, Deactivated, NameTaken, Foreign}
}

// ErrHearsay is in the chain of an error that only the address of a request tells of: whoever made the address has written it.
var ErrHearsay = errors.New("the address says so")

// Because gives the error with a reason.
func (e *Error) Because(reason Reason) *Error {
	because := *e
	because.Reason = reason
	return &because
}

// ReasonOf gives the first reason in the chain, "" without one.
func ReasonOf(err error) Reason {
	var coded *Error
	for errors.As(err, &coded) {
		if coded.Reason != "" {
			return coded.Reason
		}
		err = coded.Cause
	}
	return ""
}

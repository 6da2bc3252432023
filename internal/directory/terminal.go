package directory

import "time"

// AskState is how far a program's request has come.
type AskState string

// The states of a request to be signed in.
const (
	AskPending  AskState = "pending"
	AskApproved AskState = "approved"
	AskDenied   AskState = "denied"
	AskUsed     AskState = "used" // a sign-in came of it, once
)

// Ask is a program's request to be signed in as whoever approves it.
type Ask struct {
	ID        int64
	Secret    [32]byte // SHA-256 of the code that the program holds
	UserCode  string   // what the approver types; "" where the approver's own browser brought the request
	Name      string   // what the program calls itself
	Place     string   // the address that it came from
	Scope     string   // as it was asked for
	Redirect  string   // where the code was sent to; "" where the program asks for itself
	Challenge string   // the SHA-256 of what the program proves that it began with (RFC 7636)
	State     AskState
	UserID    int64 // who approved; 0 before
	TokenID   int64 // of the sign-in that came of it
	CreatedAt time.Time
	ExpiresAt time.Time
	PolledAt  time.Time
	Pause     time.Duration // between two questions of the program whether it is approved
}

// Terminal is a program that is signed in: one token, which it renews until the sign-in ends.
type Terminal struct {
	Token     Token
	Key       [32]byte // SHA-256 of what all its refresh tokens begin with
	Refresh   [32]byte // SHA-256 of the one refresh token that is good
	Last      [32]byte // the hash of the token before this one, for requests that are under way
	LastUntil time.Time
	ExpiresAt time.Time // of the sign-in
}

// Redemption is what comes of a program's question whether it is approved. It is stored whole, whatever the answer is.
type Redemption struct {
	Ask    Ask
	Make   *Terminal // nil: nothing
	End    bool      // what came of the request before ends
	Answer error
}

// Renewal is what comes of a refresh token.
type Renewal struct {
	Terminal Terminal
	End      bool // the sign-in ends
	Answer   error
}

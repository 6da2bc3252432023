package httpx

import (
	"math/rand/v2"
	"net/http"
	"strconv"
)

// RequestID is the header that names a request: in its answer, in its audit events, and towards MLflow.
const RequestID = "X-Request-Id"

// idMost is how long a proxy's name of a request may be; with ours behind it, it fits the audit events in the users database.
const idMost = 48

// NameRequest gives a request a name that no other has. What a trusted proxy calls it comes first, so that it is found by both; ours is
// always behind it, since a proxy may hand on what its client has made up, and events must not pass for those of another request.
func (o *Origin) NameRequest(r *http.Request) string {
	var space [idMost + 14]byte
	name := space[:0]
	if len(o.Proxies) > 0 && o.trusted(peer(r)) {
		if given := r.Header[RequestID]; len(given) == 1 && harmless(given[0]) {
			name = append(append(name, given[0]...), '.')
		}
	}
	return string(strconv.AppendUint(name, rand.Uint64(), 36)) //nolint:gosec // a name, and no secret
}

// Servers gives the server's own writer of an answer, below all that is wrapped around it. http.MaxBytesReader knows that one alone: it has it
// close the connection, on which the rest of a body would have to be read.
func Servers(w http.ResponseWriter) http.ResponseWriter {
	for {
		above, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = above.Unwrap()
	}
}

// harmless tells whether a name can stand anywhere: in a log, in an address, on a page.
func harmless(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return name != "" && len(name) <= idMost
}

package gateway

import (
	"bytes"
	"html"
	"io"
	"net/http"
	"strings"
)

// mostPage is how long the page of MLflow's UI may be to be extended; it has about a thousand bytes.
const mostPage = 256 << 10

// plain are the headers of a request that would have MLflow answer with something else than the whole page as it is.
var plain = []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Range"}

// element is what MLflow's page gets, nil for nothing. A module has no names in common with MLflow's scripts, and runs before
// those of the page that are deferred, if it comes first.
func element(script string) []byte {
	if script == "" {
		return nil
	}
	return []byte(`<script type="module" src="` + html.EscapeString(script) + `"></script>`)
}

// extends tells whether the answer is MLflow's page, which gets our script. The row of the table says so, and nothing about the answer: what
// somebody has uploaded may look like that page to a byte.
func (c *call) extends() bool { return c.match.Route.Page && len(c.gateway.element) > 0 }

// whole has MLflow send the whole page, uncompressed: what the browser kept is not MLflow's page but ours.
func whole(out *http.Request) {
	for _, name := range plain {
		delete(out.Header, name)
	}
	out.Header.Set("Accept-Encoding", "identity")
}

// extend puts our script into MLflow's page. What does not look like it stays as it is.
func (g *Gateway) extend(answer *http.Response) error {
	h := answer.Header
	media, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	if answer.StatusCode != http.StatusOK || !strings.EqualFold(strings.TrimSpace(media), "text/html") ||
		h.Get("Content-Encoding") != "" || answer.ContentLength > mostPage {
		return nil
	}
	page, err := io.ReadAll(io.LimitReader(answer.Body, mostPage+1))
	if err != nil {
		return err
	}
	extended, ok := insert(page, g.element)
	if len(page) > mostPage || !ok {
		g.Log.WarnContext(answer.Request.Context(), "MLflow's page does not look as it should, and so has no menu", "bytes", len(page))
		answer.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(page), answer.Body), answer.Body}
		return nil
	}
	_ = answer.Body.Close()
	for _, name := range []string{"Etag", "Last-Modified", "Accept-Ranges", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Transfer-Encoding"} {
		delete(h, name) // of a page without the script
	}
	h["Cache-Control"] = []string{"no-cache"} // the script has another address after an update
	answer.TransferEncoding = nil
	setAnswer(answer, extended)
	return nil
}

// insert puts an element at the beginning of a page's head, before all scripts.
func insert(page, element []byte) ([]byte, bool) {
	const head = "<head>"
	for at := 0; ; at++ {
		next := bytes.IndexByte(page[at:], '<')
		if next < 0 {
			return nil, false
		}
		at += next
		if rest := page[at:]; len(rest) >= len(head) && bytes.EqualFold(rest[:len(head)], []byte(head)) {
			at += len(head)
			return append(append(append(make([]byte, 0, len(page)+len(element)), page[:at]...), element...), page[at:]...), true
		}
	}
}

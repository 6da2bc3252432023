package devserver

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
)

// Provide runs the OpenID provider alone, for a gateway that somebody sets up themselves, until the context ends. It prints the
// settings that such a gateway needs.
func Provide(ctx context.Context, address, gateway string, output io.Writer) error {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("%q is no address of this machine alone, such as 127.0.0.1:9090: whoever reaches the provider signs in as anybody", address)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("serving the identity provider: %w", err)
	}
	p, stop, err := serveAt(listener, []string{strings.TrimSuffix(gateway, "/")})
	if err != nil {
		return err
	}
	defer stop()
	if _, err := fmt.Fprintf(output, "OIDC_DISCOVERY_URL=%s/.well-known/openid-configuration\nOIDC_CLIENT_ID=%s\nOIDC_CLIENT_SECRET=%s\n", p.issuer, clientID, p.secret); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

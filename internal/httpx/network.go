package httpx

import "net/netip"

// Network gives what one customer of a network has: an address of IPv4, however it is written, or the 64 bits within which
// anybody of IPv6 chooses addresses at will (RFC 6177 §2). What is no address stays as it is.
func Network(client string) string {
	address, err := netip.ParseAddr(client)
	if err != nil {
		return client
	}
	address = address.Unmap().WithZone("")
	if address.Is6() {
		return netip.PrefixFrom(address, 64).Masked().String()
	}
	return address.String()
}

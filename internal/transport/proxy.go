package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the addresses whose word about a client's address is taken.
type Proxies []netip.Prefix

// Contains says whether addr is one of them.
func (p Proxies) Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, one := range p {
		if one.Contains(addr) {
			return true
		}
	}
	return false
}

// ClientAddr is the address that r comes from. Behind one of these proxies it is the last address in
// X-Forwarded-For that is not a proxy's own: what stands to its left was written by the client.
func (p Proxies) ClientAddr(r *http.Request) netip.AddrPort {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !p.Contains(peer.Addr()) {
		return unmap(peer)
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		addr, ok := parseHop(strings.TrimSpace(hop))
		if !ok {
			break
		}
		peer = addr
		if !p.Contains(addr.Addr()) {
			break
		}
	}
	return unmap(peer)
}

// parseHop reads one element of X-Forwarded-For: an address, with a port or without.
func parseHop(s string) (netip.AddrPort, bool) {
	if addr, err := netip.ParseAddr(s); err == nil {
		return netip.AddrPortFrom(addr, 0), true
	}
	addr, err := netip.ParseAddrPort(s)
	return addr, err == nil
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// The PROXY protocol, version 2, as HAProxy describes it: a signature, a version and a command, a
// family, a length, then addresses and more that we do not need.
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyHeadLen   = 16
	// The most bytes that may follow the head: the longest addresses are 216, and
	// proxies add some hundred of their own.
	maxProxyTail = 2048

	proxyLocal = 0x20 // the proxy speaks for itself: a health check
	proxyFor   = 0x21 // the proxy speaks for a client

	proxyTCP4 = 0x11
	proxyTCP6 = 0x21
)

var errProxy = errors.New("not a PROXY v2 header")

// readProxy reads a PROXY v2 header from r, no byte more than it, and gives the client's address; ok
// is false if the proxy speaks for itself or for something that is not TCP over IP.
func readProxy(r io.Reader) (addr netip.AddrPort, ok bool, err error) {
	var head [proxyHeadLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return netip.AddrPort{}, false, fmt.Errorf("read PROXY header: %w", err)
	}
	n := int(binary.BigEndian.Uint16(head[14:]))
	if string(head[:12]) != proxySignature || n > maxProxyTail {
		return netip.AddrPort{}, false, errProxy
	}
	tail := make([]byte, n)
	if _, err := io.ReadFull(r, tail); err != nil {
		return netip.AddrPort{}, false, fmt.Errorf("read PROXY header: %w", err)
	}
	switch command, family := head[12], head[13]; {
	case command == proxyLocal:
		return netip.AddrPort{}, false, nil
	case command != proxyFor:
		return netip.AddrPort{}, false, errProxy
	case family == proxyTCP4 && n >= 12:
		ip := netip.AddrFrom4([4]byte(tail[:4]))
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(tail[8:])), true, nil
	case family == proxyTCP6 && n >= 36:
		ip := netip.AddrFrom16([16]byte(tail[:16])).Unmap()
		return netip.AddrPortFrom(ip, binary.BigEndian.Uint16(tail[32:])), true, nil
	case family == proxyTCP4 || family == proxyTCP6:
		return netip.AddrPort{}, false, errProxy
	}
	return netip.AddrPort{}, false, nil
}

package transport

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"net/netip"
	"testing"
)

// proxyHeader makes a PROXY v2 header.
func proxyHeader(command, family byte, tail []byte) []byte {
	b := append([]byte(proxySignature), command, family)
	b = binary.BigEndian.AppendUint16(b, uint16(len(tail)))
	return append(b, tail...)
}

var (
	tail4 = []byte{192, 0, 2, 7, 10, 0, 0, 1, 0x30, 0x39, 0, 80}
	tail6 = append(append(netip.MustParseAddr("2001:db8::7").AsSlice(), netip.MustParseAddr("::1").AsSlice()...), 0x30, 0x39, 0, 80)
)

func TestReadProxy(t *testing.T) {
	mapped := append(append(netip.MustParseAddr("::ffff:192.0.2.7").AsSlice(), make([]byte, 16)...), 0, 1, 0, 0)
	tests := []struct {
		name    string
		header  []byte
		want    string // empty: the proxy names nobody
		refused bool
	}{
		{"IPv4", proxyHeader(0x21, 0x11, tail4), "192.0.2.7:12345", false},
		{"IPv6", proxyHeader(0x21, 0x21, tail6), "[2001:db8::7]:12345", false},
		{"IPv4 mapped into IPv6", proxyHeader(0x21, 0x21, mapped), "192.0.2.7:1", false},
		{"with more after the addresses", proxyHeader(0x21, 0x11, append(tail4[:12:12], 4, 0, 1, 0)), "192.0.2.7:12345", false},
		{"the proxy itself", proxyHeader(0x20, 0x00, nil), "", false},
		{"the proxy itself, with addresses", proxyHeader(0x20, 0x11, tail4), "", false},
		{"a Unix socket", proxyHeader(0x21, 0x31, make([]byte, 216)), "", false},
		{"UDP", proxyHeader(0x21, 0x12, tail4), "", false},
		{"unknown family", proxyHeader(0x21, 0x00, nil), "", false},

		{"version 1", []byte("PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n"), "", true},
		{"another version", proxyHeader(0x31, 0x11, tail4), "", true},
		{"unknown command", proxyHeader(0x22, 0x11, tail4), "", true},
		{"addresses cut short", proxyHeader(0x21, 0x11, tail4[:11]), "", true},
		{"addresses cut short, IPv6", proxyHeader(0x21, 0x21, tail6[:35]), "", true},
		{"too long", proxyHeader(0x21, 0x11, make([]byte, maxProxyTail+1)), "", true},
		{"half a head", []byte(proxySignature), "", true},
		{"half a tail", proxyHeader(0x21, 0x11, tail4)[:20], "", true},
		{"nothing", nil, "", true},
		{"a frame", []byte("\x4c\x01\x00\x01\x00\x00\x00\x01\x00\x00\x00\x04{  }"), "", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := bytes.NewReader(append(tt.header, "rest"...))
			if tt.refused {
				r = bytes.NewReader(tt.header)
			}
			addr, ok, err := readProxy(r)
			if tt.refused {
				if err == nil {
					t.Errorf("got %v, want it to be refused", addr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if ok != (tt.want != "") || ok && addr.String() != tt.want {
				t.Errorf("got %v, %v; want %q", addr, ok, tt.want)
			}
			if r.Len() != len("rest") {
				t.Errorf("%d bytes are left after the header, want %d", r.Len(), len("rest"))
			}
		})
	}
}

// FuzzReadProxy: whatever a proxy sends, the header is read to its end and no further, and what it
// says is an address or nothing.
func FuzzReadProxy(f *testing.F) {
	f.Add(proxyHeader(0x21, 0x11, tail4))
	f.Add(proxyHeader(0x21, 0x21, tail6))
	f.Add(proxyHeader(0x20, 0, nil))
	f.Add([]byte("PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bytes.NewReader(b)
		addr, ok, err := readProxy(r)
		if err != nil {
			return
		}
		if read := len(b) - r.Len(); read != proxyHeadLen+int(binary.BigEndian.Uint16(b[14:])) {
			t.Errorf("read %d bytes", read)
		}
		if ok != addr.IsValid() || addr.Addr().Is4In6() {
			t.Errorf("got %v, %v", addr, ok)
		}
	})
}

func TestClientAddr(t *testing.T) {
	proxies := Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	tests := []struct {
		name      string
		peer      string
		forwarded []string
		want      string
	}{
		{"no proxy", "192.0.2.1:5", nil, "192.0.2.1:5"},
		{"a stranger's claim", "192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1:5"},
		{"behind a proxy", "10.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1:0"},
		{"behind a proxy, mapped", "[::ffff:10.0.0.1]:5", []string{"198.51.100.1"}, "198.51.100.1:0"},
		{"behind two", "10.0.0.1:5", []string{"198.51.100.1, 10.9.9.9"}, "198.51.100.1:0"},
		{"behind two, two headers", "[fd00::1]:5", []string{"198.51.100.1", "10.9.9.9"}, "198.51.100.1:0"},
		{"a claim to the left", "10.0.0.1:5", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1:0"},
		{"a claim to the left that is a proxy's", "10.0.0.1:5", []string{"10.1.1.1,198.51.100.1"}, "198.51.100.1:0"},
		{"with a port", "10.0.0.1:5", []string{"198.51.100.1:77"}, "198.51.100.1:77"},
		{"IPv6", "10.0.0.1:5", []string{"2001:db8::1"}, "[2001:db8::1]:0"},
		{"IPv6 with a port", "10.0.0.1:5", []string{"[2001:db8::1]:77"}, "[2001:db8::1]:77"},
		{"the proxy itself", "10.0.0.1:5", nil, "10.0.0.1:5"},
		{"garbage", "10.0.0.1:5", []string{"unknown"}, "10.0.0.1:5"},
		{"garbage to the left", "10.0.0.1:5", []string{"x, 10.2.2.2"}, "10.2.2.2:0"},
		{"no address at all", "@", []string{"198.51.100.1"}, "invalid AddrPort"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.forwarded}}
			if got := proxies.ClientAddr(r); got.String() != tt.want {
				t.Errorf("got %v, want %s", got, tt.want)
			}
		})
	}
}

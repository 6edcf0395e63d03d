package config

import (
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// shape checks a text against a form, the first word of form, and gives it as
// it is kept. The other words are what the form allows.
func shape(form, text string) (string, error) {
	name, allowed, _ := strings.Cut(form, " ")
	switch name {
	case "listen":
		return text, checkListen(text)
	case "address":
		return text, checkAddress(text)
	case "url":
		return checkURL(text, strings.Fields(allowed))
	case "origin":
		return text, checkOrigin(text)
	case "host":
		return text, checkHost(text)
	case "mailbox":
		if _, err := mail.ParseAddress(text); err != nil {
			return "", valueErrorf("%q is no sender; write for example liao <liao@example.org>", text)
		}
		return text, nil
	case "strong":
		return text, checkStrength(text)
	default:
		panic("config: no form " + form) //nolint:forbidigo // a tag of Config that this file was not taught
	}
}

// checkListen wants host:port, where the host is an address, localhost or
// nothing: a name that is looked up might be another address tomorrow.
func checkListen(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return valueErrorf("%q is no address to listen on; write for example 127.0.0.1:8080 or :8080", text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return valueErrorf("%q has no port between 0 and 65535", text)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && host != "localhost" {
		return valueErrorf("%q names a host; write an address of this machine, or 0.0.0.0 for all of them", text)
	}
	return nil
}

// checkAddress wants host:port as a client can dial it.
func checkAddress(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host == "" {
		return valueErrorf("%q is no public address; write host:port, for example chat.example.org:8090", text)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return valueErrorf("%q has no port between 1 and 65535", text)
	}
	if address, err := netip.ParseAddr(host); err == nil {
		if address.IsUnspecified() {
			return valueErrorf("%q is no address that a client can dial; write the name or address that clients use", text)
		}
		return nil
	}
	return checkHost(host)
}

// checkURL wants scheme://host[:port], for WebSocket with a path.
func checkURL(text string, schemes []string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Opaque != "" || !slices.Contains(schemes, u.Scheme) {
		return "", valueErrorf("%q is no URL of scheme %s; write for example %s://chat.example.org", text, strings.Join(schemes, " or "), schemes[len(schemes)-1])
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", valueErrorf("a public URL holds no user, query or fragment")
	}
	text = strings.TrimSuffix(text, "/")
	if slices.Contains(schemes, "https") && u.Path != "" && u.Path != "/" {
		return "", valueErrorf("%q has a path; liao is served at the root of its host", text)
	}
	return text, nil
}

// checkOrigin wants what a browser sends in Origin, letter by letter.
func checkOrigin(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || text != strings.ToLower(u.Scheme+"://"+u.Host) {
		return valueErrorf("%q is no origin; write scheme://host or scheme://host:port in lower case, for example https://app.example.org", text)
	}
	if strings.Contains(u.Host, "*") {
		return valueErrorf("%q has a wildcard; write each origin out", text)
	}
	return nil
}

func checkHost(text string) error {
	if _, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return nil
	}
	for label := range strings.SplitSeq(text, ".") {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
			return valueErrorf("%q is no host name; write it without scheme and port", text)
		}
	}
	return nil
}

// loopback says whether a host as written in a configuration is this machine
// and nobody else: an empty host is every address.
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// loopbackListener says the same of host:port.
func loopbackListener(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && loopback(host)
}

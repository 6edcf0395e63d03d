package bench

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/liao-im/liao/internal/wire"
)

// Options says what to measure.
type Options struct {
	Scenario    string // "send" or "idle"
	Address     string // host:port of the chat service's TCP door
	Tokens      string // file of `liao seed`, one user in each line
	Pairs       int    // send: how many; 0: all in the file
	Connections int    // idle: how many; 0: all users in the file
	Duration    time.Duration
	Warmup      time.Duration // send: before the measurement
	Size        int           // send: bytes of a text, at least what the number and time need
	Codec       string        // "protobuf" or "json"
	PID         int           // of the server, for its memory and processor time; 0: unknown
	Ops         string        // URL of the server's operator's door, for its goroutines; empty: unknown
	AllowRemote bool
}

// longest is the longest measurement: a benchmark that was forgotten must end.
const longest = time.Hour

// Bind makes flags of all options but Scenario, with their defaults.
func (o *Options) Bind(fs *flag.FlagSet) {
	fs.StringVar(&o.Address, "address", "127.0.0.1:8090", "`HOST:PORT` of the chat service")
	fs.StringVar(&o.Tokens, "tokens", "", "`FILE` that `liao seed --out` wrote")
	fs.IntVar(&o.Pairs, "pairs", 0, "send: how many pairs send; 0 means all in the file")
	fs.IntVar(&o.Connections, "connections", 0, "idle: how many connections; 0 means all users in the file")
	fs.DurationVar(&o.Duration, "duration", 10*time.Second, "how long to measure, at most 1h")
	fs.DurationVar(&o.Warmup, "warmup", 2*time.Second, "send: how long to send before measuring")
	fs.IntVar(&o.Size, "size", 64, "send: `BYTES` of text in each message")
	fs.StringVar(&o.Codec, "codec", "protobuf", "protobuf or json")
	fs.IntVar(&o.PID, "pid", 0, "process id of the server on this machine, for its memory and processor time")
	fs.StringVar(&o.Ops, "ops", "", "`URL` of the server's operator's door, such as http://127.0.0.1:8099, for its goroutines")
	fs.BoolVar(&o.AllowRemote, "allow-remote", false, "measure a server on another machine")
}

// Run measures. An error means that nothing was measured; what went wrong during a
// measurement is in the report's Failures. When ctx ends the measurement ends early
// and covers the time until then.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(ctx); err != nil {
		return nil, err
	}
	users, err := readTokens(o.Tokens)
	if err != nil {
		return nil, err
	}
	form := wire.FormProtobuf
	if o.Codec == "json" {
		form = wire.FormJSON
	}
	b := &bench{Options: o, form: form, host: host{pid: o.PID, ops: o.Ops}}
	switch o.Scenario {
	case "send":
		return b.send(ctx, users)
	case "idle":
		return b.idle(ctx, users)
	}
	return nil, fmt.Errorf("there is no scenario %q; there are send and idle", o.Scenario)
}

// bench is one run.
type bench struct {
	Options

	form wire.Form
	host host
}

func (o *Options) check(ctx context.Context) error {
	switch {
	case o.Tokens == "":
		return errors.New("--tokens is missing: a file that `liao seed --pairs --out FILE` wrote")
	case o.Duration <= 0 || o.Duration > longest:
		return fmt.Errorf("--duration %v: must be above 0 and at most %v", o.Duration, longest)
	case o.Warmup < 0 || o.Warmup > longest:
		return fmt.Errorf("--warmup %v: must be at most %v", o.Warmup, longest)
	case o.Size < 0 || o.Size > maxText:
		return fmt.Errorf("--size %d: must be at most %d", o.Size, maxText)
	case o.Pairs < 0 || o.Connections < 0:
		return errors.New("--pairs and --connections must not be negative")
	case o.Codec != "protobuf" && o.Codec != "json":
		return fmt.Errorf("--codec %q: must be protobuf or json", o.Codec)
	}
	hosts := []string{o.Address}
	if o.Ops != "" {
		u, err := url.Parse(o.Ops)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" {
			return fmt.Errorf("--ops %q: must be a URL such as http://127.0.0.1:8099", o.Ops)
		}
		o.Ops = strings.TrimRight(o.Ops, "/")
		port := u.Port()
		if port == "" {
			port = u.Scheme
		}
		hosts = append(hosts, net.JoinHostPort(u.Hostname(), port))
	}
	for _, h := range hosts {
		if err := o.checkHost(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// checkHost refuses a server that is not on this machine: a load on somebody else's
// is started by intent only.
func (o *Options) checkHost(ctx context.Context, address string) error {
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q: must be HOST:PORT", address)
	}
	if o.AllowRemote {
		return nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	if err != nil {
		return fmt.Errorf("look up %s: %w", name, err)
	}
	for _, a := range addrs {
		if !a.Unmap().IsLoopback() {
			return fmt.Errorf("%s is not this machine (%s); --allow-remote if you may load it", name, a)
		}
	}
	return nil
}

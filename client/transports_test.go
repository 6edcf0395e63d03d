package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/liao-im/liao/client"
	"github.com/liao-im/liao/internal/transport"
	"github.com/liao-im/liao/internal/wire"
	"github.com/liao-im/liao/internal/wire/clientpb"
)

// parrot is a chat node that stores every send and says the same back.
func parrot(_ context.Context, conn transport.Conn) {
	conn.SetMaxBody(wire.MaxBody)
	var seq uint32
	for {
		f, err := conn.ReadFrame()
		if err != nil {
			return
		}
		body, _ := wire.NewBody(f.Type)
		if f.Codec.Unmarshal(f.Body, body) != nil {
			return
		}
		say := func(t wire.Type, id uint32, m proto.Message) {
			b, err := wire.FormOf(f.Codec, conn.Text()).Encode(nil, t, id, m)
			if err == nil {
				_ = conn.WriteFrames([][]byte{b}, time.Now().Add(time.Second))
			}
		}
		switch m := body.(type) {
		case *clientpb.Hello:
			say(clientpb.Type_WELCOME, f.ID, &clientpb.Welcome{
				User: &clientpb.User{Id: 1, Handle: m.GetToken()}, DeviceId: "d", Node: "parrot", HeartbeatMs: 30_000, Epoch: "e",
			})
		case *clientpb.Sync:
			say(clientpb.Type_CHANGES, f.ID, &clientpb.Changes{Cursor: "c", Conversations: []*clientpb.Conversation{
				{Id: 7, Kind: "direct", Peer: &clientpb.User{Id: 2, Handle: "polly"}},
			}})
		case *clientpb.Send:
			say(clientpb.Type_SENT, f.ID, &clientpb.Sent{Conv: m.GetConv(), Key: m.GetKey(), Seq: seq + 1, AtMs: 1})
			say(clientpb.Type_MESSAGE, 0, &clientpb.Message{Conv: m.GetConv(), Seq: seq + 2, From: 2, AtMs: 2, Content: m.GetContent()})
			seq += 2
		}
	}
}

// nodes starts parrots on every transport.
func nodes(t *testing.T) (client.Addrs, *tls.Config) {
	t.Helper()
	web := httptest.NewTLSServer(nil) // lends its certificate
	t.Cleanup(web.Close)
	roots := x509.NewCertPool()
	roots.AddCert(web.Certificate())
	plain := httptest.NewServer(transport.NewWebSocketHandler(transport.WebSocketOptions{Handle: parrot}))
	t.Cleanup(plain.Close)
	serve := func(o transport.ServeOptions) string {
		ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		over := make(chan struct{})
		go func() {
			defer close(over)
			_ = transport.Serve(ctx, ln, o)
		}()
		t.Cleanup(func() { cancel(); <-over })
		return ln.Addr().String()
	}
	return client.Addrs{
		TCP: serve(transport.ServeOptions{Handle: parrot}),
		TLS: serve(transport.ServeOptions{Handle: parrot, TLS: transport.ServerTLS(web.TLS)}),
		WS:  strings.Replace(plain.URL, "http:", "ws:", 1) + "/v1/ws",
	}, &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12}
}

func TestEveryTransportAndCodec(t *testing.T) {
	addrs, config := nodes(t)
	for _, way := range []client.Transport{client.TCP, client.TLS, client.WS} {
		for _, codec := range []client.Codec{client.Protobuf, client.JSON} {
			t.Run(string(way)+" "+string(codec), func(t *testing.T) {
				c, err := client.Open(t.Context(), client.Options{
					Login: client.Login{Tokens: client.Tokens{Access: "ann"}, Chat: addrs},
					Codec: codec, Transport: way, TLS: config,
				})
				if err != nil {
					t.Fatal(err)
				}
				defer func() { must(t, c.Close()) }()
				must(t, c.Synced(t.Context()))
				if c.Me().Handle != "ann" {
					t.Errorf("I am %+v, want who the token says", c.Me())
				}
				content := client.Content{Kind: "x-test", Text: "你好\n\t!", Data: []byte(`{"deep":[1,{"a":"b"}],"n":1.5}`), ReplyTo: 3}
				sent, err := c.Send(t.Context(), 7, content)
				if err != nil || sent.Seq != 1 {
					t.Fatalf("sent %+v, error %v; want entry 1", sent, err)
				}
				for e := range c.Events() {
					a, ok := e.(client.Arrived)
					if !ok || a.From != 2 {
						continue
					}
					if a.Seq != 2 || a.Content.Text != content.Text || a.Content.Kind != content.Kind ||
						string(a.Content.Data) != string(content.Data) || a.Content.ReplyTo != 3 {
						t.Errorf("came back as %+v, want %+v", a.Content, content)
					}
					return
				}
			})
		}
	}
}

func TestNoTokenInTheClear(t *testing.T) {
	asked := make(chan string, 100)
	gate := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Path
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"nodes":[{"tcp":"192.0.2.1:8090","ws":"ws://192.0.2.1/v1/ws"}]}`))
	}))
	defer gate.Close()
	g, err := client.NewGate(client.GateOptions{URL: gate.URL, HTTP: gate.Client()})
	must(t, err)
	c, err := client.New(client.Options{
		Gate: g, Login: client.Login{Tokens: client.Tokens{Access: "at"}, Chat: client.Addrs{TCP: "192.0.2.1:8090"}},
	})
	must(t, err)
	defer func() { must(t, c.Close()) }()
	c.Start()
	// The gate is asked twice at once, though 192.0.2.1 never answers: nobody tried it.
	began := time.Now()
	<-asked
	<-asked
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v: a plaintext address was tried although the gate is reached by TLS", took)
	}
}

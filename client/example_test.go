package client_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/liao-im/liao/client"
)

// Sign up: a code by e-mail, an account, a login.
func Example_signUp() {
	ctx := context.Background()
	gate, err := client.NewGate(client.GateOptions{URL: "http://127.0.0.1:8080"})
	if err != nil {
		return
	}
	asked, err := gate.RequestCode(ctx, "ann@example.org", client.Register)
	if err != nil {
		return
	}
	var code string
	fmt.Fprintln(os.Stderr, "the code in the mail:")
	_, _ = fmt.Scanln(&code)
	if _, err = gate.CreateAccount(ctx, client.NewAccount{
		Email: "ann@example.org", Request: asked.Request, Code: code,
		Handle: "ann", Name: "Ann", Password: "four words are fine",
	}); err != nil {
		return
	}
	login, err := gate.Login(ctx, "ann", "four words are fine", client.Device{Name: "laptop", Platform: "terminal"})
	if err != nil {
		return
	}

	// The tokens and what is not settled yet outlive the process in a directory.
	store, err := client.OpenFileStore("ann.liao")
	if err != nil {
		return
	}
	c, err := client.Open(ctx, client.Options{Gate: gate, Login: login, Tokens: store, Store: store})
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
}

// A bot that says back what its friends say, and makes friends with everybody.
func ExampleClient_Events() {
	ctx := context.Background()
	gate, err := client.NewGate(client.GateOptions{URL: "http://127.0.0.1:8080"})
	if err != nil {
		return
	}
	store, err := client.OpenFileStore("echo.liao") // a login is in it
	if err != nil {
		return
	}
	c, err := client.Open(ctx, client.Options{Gate: gate, Tokens: store, Store: store, Name: "echo-bot/1.0"})
	if err != nil {
		return
	}
	defer func() { _ = c.Close() }()
	for e := range c.Events() {
		switch e := e.(type) {
		case client.Arrived:
			if e.From != 0 && e.From != c.Me().ID && e.Content.Kind == "text" {
				// Post does not wait: the outbox keeps the order and the key.
				if _, err := c.Post(e.Conv, client.Text(e.Content.Text)); err != nil {
					return
				}
				_ = c.MarkRead(ctx, e.Conv, e.Seq)
			}
		case client.ContactsChanged:
			contacts, err := c.Friends(ctx)
			if err != nil {
				continue
			}
			for _, r := range contacts.Requests {
				_, _ = c.AnswerFriend(ctx, r.User.ID, true, "")
			}
		case client.Settled:
			if e.Err != nil {
				fmt.Fprintln(os.Stderr, "not sent:", e.Err)
			}
		case client.Ended:
			fmt.Fprintln(os.Stderr, e.Err)
		}
	}
}

// An error says whether the request may have taken effect all the same.
func ExampleUnknown() {
	var c *client.Client // as made by Open
	send := func(conv uint64, text string) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		sent, err := c.Send(ctx, conv, client.Text(text))
		switch {
		case err == nil:
			fmt.Fprintln(os.Stderr, "stored as entry", sent.Seq)
		case client.Unknown(err):
			fmt.Fprintln(os.Stderr, "on its way; a Settled event will tell")
		case errors.Is(err, client.Forbidden):
			fmt.Fprintln(os.Stderr, "not a friend any more")
		default:
			fmt.Fprintln(os.Stderr, "not sent, and never will be:", err)
		}
	}
	_ = send
}

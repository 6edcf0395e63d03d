// Package client is the Go SDK of liao: it signs up and logs in at the gate,
// keeps one connection to a chat node alive, and hands the application an
// ordered stream of what happened.
//
// What it promises:
//   - A send is settled once: stored at a known place, or refused for good. In
//     between it stays in the outbox and is sent again with its old key, over
//     any number of broken connections and, with a Store, restarts. Sends to
//     one conversation are stored in the order in which they were given to the
//     client: one is on its way at a time, the later ones wait for it. Sends to
//     different conversations travel together.
//   - An error tells whether the request may have taken effect: see Unknown.
//     Every request but a send may be repeated without harm, and the client
//     does so by itself when a connection breaks under it.
//   - The entries of a conversation are given as Arrived events in the order
//     of their numbers, each once, the own ones included. What is left out
//     (nothing was held of the conversation, or more than 200 entries are
//     missing) is marked by Arrived.Skipped; History gives it when somebody looks.
//   - A slow reader of Events loses nothing and costs a bounded amount of
//     memory. Events are not queued but made when they are read, from what
//     changed since: a conversation that changed ten times is told once, and
//     entries that found no room are fetched again when there is some. Only
//     Typing is dropped.
//   - An idle Client is one goroutine.
//
// A Client connects until it is closed or until the server says that coming
// back is of no use (Ended): the login was revoked, the device connected
// elsewhere, or the two do not speak the same protocol.
//
// Files, in the order of the trip: gate.go, gatecall.go and account.go (HTTP), tokens.go (the
// login and its refresh), client.go (options, start, close), run.go (connect,
// stay, come back), nodes.go (which node), link.go (one connection),
// outbox.go (sends), entries.go (order and gaps), pull.go (SYNC and HISTORY),
// events.go (what the application is told), requests.go and contacts.go
// (everything else that can be asked), convert.go (to and from the wire),
// store.go and filestore.go (what outlives the process).
package client

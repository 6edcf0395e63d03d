// Package liaotest starts the real liao binary for black-box tests and speaks to
// it as a stranger would: HTTP with JSON, and frames with JSON bodies over raw TCP
// sockets, written from docs/protocol.md alone. It imports nothing of liao's own,
// so a test that passes with it holds the contract and not the code.
//
// Files: server.go (build, start, stop, kill), http.go (the gate), person.go
// (somebody who signed up), line.go (a connection to the chat service).
package liaotest

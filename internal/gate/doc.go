// Package gate is where people come in: over HTTP and JSON they register, log in,
// refresh and end logins, change passwords and profiles, and learn where the chat
// nodes are. It keeps nothing itself.
//
// It promises:
//   - The calls are those of the contract, described by an OpenAPI 3.1 document that
//     is made from the same declarations; every failure is a problem document
//     (RFC 9457) whose code is one of im's.
//   - Nobody learns from an answer, or the work behind it, whether an address or a
//     handle has an account, but who tries to register the handle.
//   - Passwords are stored as argon2id with its parameters beside it, hashed at most
//     as many at once as there are cores; who would wait over two seconds is told to
//     come back. Tokens are stored by nobody: the stores see their hashes.
//   - A body is bounded, unpacked by nobody, read once and looked over before it is
//     decoded; a picture's size is known before its pixels are.
//   - A need that is away refuses; nothing is allowed because it could not be checked.
//
// Files, in the order of a request: needs.go, gate.go (how it is made), server.go
// (the door's timeouts), guard.go (what holds for every path), clientip.go and
// language.go (who asks), admit.go (the login, the body) with strict.go, api.go (the
// description) and bodies.go; then the calls: codes.go, accounts.go, password.go,
// logins.go, profile.go, nodes.go, self.go, reset.go (a page); what they use:
// passwords.go, phc.go, passwordlist.go, picture.go, orientation.go; and problem.go
// (the way out), metrics.go.
package gate

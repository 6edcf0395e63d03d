// Package verify proves that somebody reads an e-mail address: it makes codes,
// mails them, checks what comes back, and tells owners of accounts what happened
// to these.
//
// It promises:
//   - A code has 8 digits from the system's random source, holds for one purpose,
//     one address and one request, for 5 minutes, and can be used once. At most 5
//     tries are made at one request, counted by the store before anything is
//     compared; only an HMAC of the code is stored.
//   - Nobody learns from an answer, or from the time that it takes, whether an
//     address has an account: the same is stored and queued for both, and the
//     difference is what a worker does later.
//   - A request puts at most one mail into the mail server's hands. A mail is only
//     tried again if the server surely has not taken it.
//   - Sending is limited by address and by IP; the queue is bounded and says so.
//
// Files: needs.go (what the room needs of others), service.go (how it is made),
// issue.go (a code goes out), code.go (what it is), check.go (it comes back),
// notify.go (notices), compose.go (the words, in English and Chinese), queue.go
// (the way to the mail server), metrics.go.
package verify

// Package mail sends what liao writes to people: by SMTP, or, where there is no
// SMTP server, into a box in memory that the operator can read.
//
// Both kinds have one method,
//
//	Send(ctx context.Context, to, subject, text, html string) error
//
// and promise the same: to is one address and nothing else, the subject is one
// line, and neither can carry a header or a second recipient into the mail. When
// Send returns nil the next server has taken the mail. When it returns an error
// whose Temporary method says true, the mail was surely not taken and the same
// mail may be sent again. After any other error it was refused for good, or it is
// unknown whether it was taken; who then sends it again may send it twice.
//
// Files: smtp.go (the mail server), failure.go (what an error means for a second
// try), outbox.go and page.go (the operator's box, as JSON and as a page).
package mail

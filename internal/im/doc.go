// Package im is the domain of an instant-messaging system: accounts, logins,
// friends, conversations, entries, the rules over them and the errors that
// people read. It is pure: no input or output, no clock, no goroutine, and
// nothing but the standard library.
//
// Everything durable is a log. A conversation is a log with members; its
// entries are numbered from 1 without gaps. A direct chat has two members,
// a group many, and every user has an inbox: a conversation with that user
// alone, where the server writes what must not be missed.
//
// The stores keep and do not judge: whoever may do what is decided by the
// functions in rules.go, which take facts and return an *Error or nil. What
// only a transaction can know, such as whether the sender is still a member at
// the moment of the append, the store finds out and asks the same functions.
//
// Files: errors.go (failures that people read), ids.go, account.go, login.go,
// token.go, code.go (proof of an e-mail address), friend.go, content.go,
// draft.go, entry.go, event.go (what the server writes), conversation.go,
// rules.go, node.go (who serves).
package im

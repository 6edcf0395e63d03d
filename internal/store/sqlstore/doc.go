// Package sqlstore keeps what must outlive every process: accounts, logins,
// e-mail codes, friends, conversations and messages. One code serves two
// dialects: SQLite for a server on one machine, MySQL (8) or MariaDB (10.6 or
// later) for many nodes.
//
// It promises, on both alike:
//
//   - What a method that changes something returned without an error is
//     committed and flushed to disk.
//   - An *im.Error is definite: nothing was done, and nothing will be. Any other
//     error leaves the outcome unknown; those that come from a store that is
//     away match im.Unavailable.
//   - Every order and every "now" is the database's: clocks of nodes are never
//     compared.
//   - Keys, handles, addresses and hashes are compared byte for byte.
//
// Locks are taken in one order everywhere: users by id, then logins, then
// conversations by id, then members, then messages. A transaction is at READ
// COMMITTED and lives for seconds at most.
//
// The ground: store.go (open, ping, close), dialect.go with sqlite.go and
// mysql.go (what the two do differently), tx.go (transactions and their
// retries), query.go, migrate.go, meta.go, metrics.go. Accounts: user.go,
// account.go, profile.go, login.go, refresh.go, token.go, tries.go, code.go,
// operator.go, seed.go, prune.go.
//
// The log: content.go and entry.go (an entry as it is stored), members.go (who may
// do what, cached), list.go (lists in statements), ledger.go (locks, numbers and
// writes), append.go, system.go (what the server writes), history.go, changes.go,
// read.go, audience.go. People: bond.go (two people, locked), friend.go, block.go,
// contacts.go, find.go.
package sqlstore

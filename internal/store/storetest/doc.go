// Package storetest is one suite that every durable store passes: what the rooms
// rely on, said as tests. A store that passes keeps the promises of the log (one
// key is one entry, a dense order, nothing to whom it does not concern) and those
// of accounts, logins and codes, whatever it is made of.
//
// The suite knows its subject only through the interfaces in store.go, and holds
// every store to the same observable results.
//
// Files: store.go (what is tested), run.go (the themes), world.go (people to test
// with), and one file for each theme.
package storetest

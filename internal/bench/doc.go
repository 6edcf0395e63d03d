// Package bench measures a running server from outside: it is many clients in one
// process, behind `liao bench`.
//
// It speaks frames itself instead of using the client library. That library keeps
// an outbox, orders entries and repairs gaps; here they would be measured too, and
// would hide what the server loses.
//
// Promises:
//   - It ends by itself, soon after its duration, whatever the server does.
//   - It talks to this machine only, unless told otherwise.
//   - What it counts it has seen. A message is lost only if it was acknowledged and
//     is not in the log; one that is in the log but was never pushed is counted apart.
//   - What it costs itself is in the report, since it takes that from the server when
//     both share a machine.
//
// Scenarios: send (pairs of users, each sending one message at a time and waiting
// for its answer) and idle (connections that do nothing but live).
//
// Files: bench.go (options and the way through), tokens.go (who connects), line.go (a
// connection), crowd.go (many of them), send.go with pair.go, idle.go, latency.go,
// host.go (what the machine says), report.go.
package bench
